import type { StepEnd } from '../../src/core/outcome.ts'
import type { SandboxLimits } from '../../src/ports/sandbox.ts'
import { LIMITS, MEBIBYTE } from './task-bench.ts'

/** A step that uses more than it may, and how it must end, whoever started the program. */
export interface Abuse {
  name: string
  command: string
  limits?: Partial<SandboxLimits>
  end: StepEnd
}

const stopped = (limit: Extract<StepEnd, { kind: 'limit' }>['limit'], allowed: number): StepEnd => ({
  kind: 'limit',
  limit,
  allowed,
})
const exited = (code: number): StepEnd => ({ kind: 'exited', code })

export const ABUSES: readonly Abuse[] = [
  {
    name: 'takes memory without end',
    command: "perl -e 'push @a, q(x) x 1e6 while 1'",
    limits: { memoryBytes: 128 * MEBIBYTE },
    end: stopped('memory', 128 * MEBIBYTE),
  },
  {
    name: 'takes memory in many processes',
    command: "for i in $(seq 20); do perl -e '$a = q(x) x 4e7; sleep 60' & done; wait",
    limits: { memoryBytes: 128 * MEBIBYTE },
    end: stopped('memory', 128 * MEBIBYTE),
  },
  { name: 'forks without end', command: 'f() { f | f & }; f; sleep 60', end: stopped('processes', LIMITS.processes) },
  {
    name: 'computes without end in one process',
    command: 'while :; do :; done',
    limits: { cpuSeconds: 1 },
    end: stopped('cpu', 1),
  },
  {
    name: 'computes without end in several processes',
    command: 'for i in 1 2 3; do (while :; do :; done) & done; sleep 60',
    limits: { cpuSeconds: 2 },
    end: stopped('cpu', 2),
  },
  {
    name: 'writes a huge file',
    command: 'exec head -c 1G /dev/zero >huge',
    limits: { fileBytes: 16 * MEBIBYTE },
    end: stopped('file_size', 16 * MEBIBYTE),
  },
  {
    name: 'writes a sparse file that says it is huge',
    command: 'exec truncate -s 1T sparse',
    limits: { fileBytes: 16 * MEBIBYTE },
    end: stopped('file_size', 16 * MEBIBYTE),
  },
  {
    name: 'writes a huge file and hides that it was stopped',
    command: 'head -c 1G /dev/zero >huge; echo done',
    limits: { fileBytes: 16 * MEBIBYTE },
    end: stopped('file_size', 16 * MEBIBYTE),
  },
  {
    name: 'writes a huge file inside a pipeline',
    command: 'head -c 1G /dev/zero | tee huge | wc -c; true',
    limits: { fileBytes: 16 * MEBIBYTE },
    end: stopped('file_size', 16 * MEBIBYTE),
  },
  {
    name: 'computes without end and hides that it was stopped',
    command: 'bash -c "while :; do :; done"; echo done',
    limits: { cpuSeconds: 1 },
    end: stopped('cpu', 1),
  },
  {
    name: 'hides what it fills its folder with',
    command: 'mkdir a && cd a && for i in $(seq 40); do head -c 4M /dev/zero >$i; done; cd .. && chmod 0 a && sleep 60',
    limits: { diskBytes: 64 * MEBIBYTE },
    end: stopped('disk', 64 * MEBIBYTE),
  },
  {
    name: 'fills its folder with files',
    command: 'for i in $(seq 400); do head -c 4M /dev/zero >$i; done; sleep 60',
    limits: { diskBytes: 64 * MEBIBYTE },
    end: stopped('disk', 64 * MEBIBYTE),
  },
  {
    name: 'fills its folder and is gone',
    command: 'for i in $(seq 40); do head -c 4M /dev/zero >$i; done',
    limits: { diskBytes: 64 * MEBIBYTE },
    end: stopped('disk', 64 * MEBIBYTE),
  },
  {
    name: 'makes more empty files than anyone needs',
    command: "perl -e 'for (1 .. 1e6) { open F, q(>), qq(f$_) } sleep 60'",
    limits: { diskBytes: 8 * MEBIBYTE },
    end: stopped('disk', 8 * MEBIBYTE),
  },
  {
    name: 'prints without end on one line',
    command: 'tr "\\0" x </dev/zero',
    limits: { cpuSeconds: 1 },
    end: stopped('cpu', 1),
  },
  {
    name: 'leaves daemons behind that forked twice and ignore what they can',
    command:
      "perl -MPOSIX -e 'for (1 .. 5) { next if fork; setsid; exit if fork; $SIG{$_} = q(IGNORE) for qw(TERM HUP INT); sleep 600 }'",
    end: exited(0),
  },
  {
    name: 'opens too many files',
    command: "perl -e 'my @f; for (1 .. 400) { open my $f, q(<), q(/dev/null) or exit 7; push @f, $f } exit 8'",
    end: exited(7),
  },
]
