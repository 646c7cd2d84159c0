/** Shell completion: `assistant completion bash` prints a script; the script asks `assistant complete -- …`. */
import tab from '@bomb.sh/tab/commander'
import type { Command } from 'commander'
import { EXIT, type ExitCode } from './exit.ts'

export async function complete(program: Command, argv: readonly string[]): Promise<ExitCode> {
  tab(program, { completionCommandName: 'completion' })
  await program.parseAsync([...argv], { from: 'user' })
  return EXIT.done
}
