import { createBubblewrapSandbox } from '../../src/sandbox/bubblewrap.ts'
import { sandboxContract } from '../contracts/sandbox.ts'
import { taskBench } from './task-bench.ts'

sandboxContract('bubblewrap', (options) => taskBench(createBubblewrapSandbox, options))
