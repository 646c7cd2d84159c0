import type { Arg, Call, Inner, Input } from './reading.ts'

/** What a shell runs: the text behind -c, a script file (not read here), or its input. */
export function unwrapShell(call: Call, input: Input): Inner[] {
  const { args } = call
  let at = 0
  for (; at < args.length; at += 1) {
    const text = args[at]?.text ?? ''
    if (args[at]?.isStatic === false) return [computed(`"${call.name}" is given computed words`)]
    if (text === '-' || text === '--') return fileOrInput(call, args.slice(at + 1), input)
    if (!/^[-+]/.test(text)) return fileOrInput(call, args.slice(at), input)
    if (takesValue(text)) at += 1
    else if (isShort(text) && text.includes('c')) return afterDashC(call, args.slice(at + 1))
    else if (isShort(text) && text.includes('s')) return fromInput(call, input)
  }
  return fromInput(call, input)
}

function isShort(option: string): boolean {
  return /^-[A-Za-z]+$/.test(option)
}

function takesValue(option: string): boolean {
  return /^(?:[-+][oO]|--rcfile|--init-file|--init-command|-C)$/.test(option)
}

function afterDashC(call: Call, rest: readonly Arg[]): Inner[] {
  // More options may stand between -c and its text: `sh -c -e '…'`.
  const script = rest.find((arg) => !arg.isStatic || !/^[-+]/.test(arg.text))
  if (script === undefined) return call.hasMoreArgs ? [computed(`"${call.name} -c" runs text that is computed`)] : []
  return [
    script.isStatic ? { kind: 'script', text: script.text } : computed(`"${call.name} -c" runs text that is computed`),
  ]
}

function fileOrInput(call: Call, rest: readonly Arg[], input: Input): Inner[] {
  const [file] = rest
  if (file === undefined) return call.hasMoreArgs ? [] : fromInput(call, input)
  if (!file.isStatic) return [computed(`"${call.name}" runs a script whose name is computed`)]
  return /^\/(?:dev\/stdin|dev\/fd\/0|proc\/self\/fd\/0)$/.test(file.text) ? fromInput(call, input) : []
}

function fromInput(call: Call, input: Input): Inner[] {
  if (input.kind === 'text') return [{ kind: 'script', text: input.text }]
  return input.kind === 'none' ? [] : [computed(`"${call.name}" runs what another program prints`)]
}

function computed(why: string): Inner {
  return { kind: 'unreadable', why }
}
