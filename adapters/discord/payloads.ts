/** The payloads that Discord sends us, as far as we read them. Everything else in them is dropped. */
import { z } from 'zod'

const id = z.string().regex(/^\d{1,20}$/)

const user = z.object({
  id,
  username: z.string().default(''),
  global_name: z.string().nullish(),
  bot: z.boolean().optional(),
})

const member = z.object({
  nick: z.string().nullish(),
  roles: z.array(id).default([]),
  flags: z.number().default(0),
  user: user.optional(),
})

const attachment = z.object({
  id,
  filename: z.string(),
  size: z.number().nonnegative().optional(),
  content_type: z.string().optional(),
  url: z.string().optional(),
})

const channel = z.object({
  id,
  type: z.number(),
  guild_id: id.optional(),
  parent_id: id.nullish(),
  owner_id: id.optional(),
})

const reference = z.object({ message_id: id.optional(), channel_id: id.optional() })

export const messageSchema = z.object({
  id,
  channel_id: id,
  guild_id: id.optional(),
  type: z.number(),
  author: user,
  member: member.optional(),
  webhook_id: id.optional(),
  content: z.string(),
  mentions: z.array(user).default([]),
  attachments: z.array(attachment).default([]),
  message_reference: reference.nullish(),
  referenced_message: z.object({ id, author: user, message_reference: reference.nullish() }).nullish(),
  sticker_items: z.array(z.unknown()).optional(),
  poll: z.unknown().optional(),
})

const option = z.object({
  name: z.string(),
  type: z.number(),
  value: z.union([z.string(), z.number(), z.boolean()]).optional(),
  focused: z.boolean().optional(),
})

const targetMessage = z.object({
  id,
  content: z.string().default(''),
  attachments: z.array(attachment).default([]),
})

export const commandData = z.object({
  name: z.string(),
  type: z.number(),
  target_id: id.optional(),
  options: z.array(option.extend({ options: z.array(option).optional() })).default([]),
  resolved: z
    .object({
      attachments: z.record(z.string(), attachment).optional(),
      messages: z.record(z.string(), targetMessage).optional(),
    })
    .optional(),
})

export const componentData = z.object({ custom_id: z.string(), values: z.array(z.string()).default([]) })

const input = z.object({ custom_id: z.string(), value: z.string().default('') })

/** Labels (type 18) hold one input each; rows (type 1) hold a list of them. */
export const modalData = z.object({
  custom_id: z.string(),
  components: z.array(z.object({ component: input.optional(), components: z.array(input).optional() })).default([]),
})

export const interactionSchema = z.object({
  id,
  token: z.string().min(1),
  type: z.number(),
  data: z.unknown(),
  guild_id: id.optional(),
  channel_id: id.optional(),
  channel: channel.optional(),
  member: member.optional(),
  user: user.optional(),
  message: z.object({ id, channel_id: id }).optional(),
})

export type MessagePayload = z.infer<typeof messageSchema>
export type InteractionPayload = z.infer<typeof interactionSchema>
export type UserPayload = z.infer<typeof user>
export type MemberPayload = z.infer<typeof member>
export type AttachmentPayload = z.infer<typeof attachment>
