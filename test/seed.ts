/**
 * The random cases of the property tests are the same in each run, so that a change is judged by what it changed. To look further:
 * ASSISTANT_TEST_SEED=$RANDOM npm run vitest
 */
import fc from 'fast-check'

fc.configureGlobal({ seed: Number(process.env.ASSISTANT_TEST_SEED ?? 1) })
