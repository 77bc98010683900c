import type { ChannelKind } from './kind.ts'
import { discord } from './kinds/discord.ts'
import { email } from './kinds/email.ts'
import { ntfy } from './kinds/ntfy.ts'
import { slack } from './kinds/slack.ts'
import { webhook } from './kinds/webhook.ts'

/** Every kind of channel, in the order of the form. */
const ALL = [webhook, email, slack, discord, ntfy]

/** A kind with any config: it is checked against its schema before it is stored. */
export type AnyKind = ChannelKind<Record<string, unknown>>

export const CHANNEL_KINDS = ALL as unknown as readonly AnyKind[]
export const KIND_NAMES: readonly string[] = CHANNEL_KINDS.map(({ name }) => name)

export function channelKindOf(name: string): AnyKind | undefined {
  return CHANNEL_KINDS.find((kind) => kind.name === name)
}
