import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeControl, parseControl, parseThreadWords, VERBS } from '../../src/core/controls.ts'

describe('a button id', () => {
  it('reads back as what was written, in at most 100 characters', () => {
    const control = fc.record({
      verb: fc.constantFrom(...VERBS),
      taskId: fc.integer({ min: 1, max: 1e14 }),
      hash: fc.option(fc.stringMatching(/^[0-9a-f]{8}$/)),
    })
    fc.assert(
      fc.property(control, (written) => {
        const id = encodeControl(written)
        expect(id.length).toBeLessThanOrEqual(100)
        expect(parseControl(id)).toEqual(written)
      }),
    )
  })

  it.each([
    '',
    'cancel',
    'cancel:',
    'cancel:0',
    'cancel:01',
    'cancel:-1',
    'cancel:1:xyz',
    'CANCEL:1',
    'drop:1',
    'cancel:1\n',
    'constructor:1',
    ' cancel:1',
  ])('that is not ours is not read: %j', (id) => expect(parseControl(id)).toBeUndefined())

  it('of any shape never throws', () => {
    fc.assert(fc.property(fc.string(), (id) => void parseControl(id)))
  })
})

describe('words in a thread', () => {
  it.each([
    ['cancel', 'cancel'],
    ['STOP!', 'cancel'],
    ['abort.', 'cancel'],
    ['!cancel', 'cancel'],
    ['retry', 'retry'],
    ['again', 'rerun'],
    ['Yes', 'approve'],
    ['go', 'approve'],
    ['approve', 'approve'],
    ['no', 'reject'],
    ['status?', 'status'],
    [' log ', 'log'],
    ['files', 'files'],
    ['help', 'help'],
  ])('%j is the control %s', (text, verb) => {
    expect(parseThreadWords(text)).toEqual({ kind: 'control', verb })
  })

  it.each(['wait', 'thanks', 'Thanks!', '👍', ':tada: 🎉', ''])('%j asks for nothing', (text) => {
    expect(parseThreadWords(text)).toEqual({ kind: 'idle' })
  })

  it.each([
    'use quality 80',
    'cancel the third one only',
    'no, use PNG',
    'stop words should be removed',
    '42',
    'constructor',
    'toString',
  ])('%j refines', (text) => {
    expect(parseThreadWords(text)).toEqual({ kind: 'refinement', text })
  })
})
