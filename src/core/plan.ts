import { z } from 'zod'

/** Bounds of what a model may propose; a longer reply is refused, never cut. */
export const PLAN_LIMITS = { maxReplyBytes: 256 * 1024, maxCommands: 64, maxCommandBytes: 16 * 1024 } as const
export const MAX_DESCRIPTION_BYTES = 16 * 1024

const command = z
  .string()
  .refine((text) => text.trim() !== '', 'a command is empty')
  .refine((text) => Buffer.byteLength(text) <= PLAN_LIMITS.maxCommandBytes, 'a command is longer than 16 KiB')

/** What a plan asks for beyond the sandbox. Null: nothing, the usual case. */
const networkRequest = z.object({ reason: z.string().max(500), hosts: z.array(z.string().max(253)).max(32) })
export type NetworkRequest = z.infer<typeof networkRequest>

/** An ordered list of commands, with what they are for. The command texts are byte for byte what will run. */
export const planSchema = z.object({
  commands: z.array(command).min(1).max(PLAN_LIMITS.maxCommands),
  summary: z.string().max(2000),
  network: networkRequest.nullable(),
})
export type Plan = z.infer<typeof planSchema>

/** The shape asked of the model, given to Ollama as `format`; the planner turns a reply of this shape into a Plan or an answer. */
export const replySchema = z.object({
  commands: z.array(command).max(PLAN_LIMITS.maxCommands),
  summary: z.string().max(2000).optional(),
  answer: z.string().max(8000).optional(),
  network: z.boolean().optional(),
  network_reason: z.string().max(500).optional(),
  network_hosts: z.array(z.string().max(253)).max(32).optional(),
})
