/** A worker of the queue argv[2] at argv[3], for a bench: tells its parent of each job that it takes, with the machine's monotonic clock. */
import { OURS, PEERS } from './peers-queues.ts'

const [, , name, address = ''] = process.argv
const queue = [OURS, ...PEERS].find((one) => one.name === name)
if (queue === undefined) throw new Error(`no queue is called ${name}`)
process.once('disconnect', () => process.exit())
await queue.take(address, () => process.send?.(String(process.hrtime.bigint())))
process.send?.('ready')
