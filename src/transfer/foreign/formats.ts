import { CHANGEDETECTION } from './changedetection.ts'
import type { ForeignFormat } from './format.ts'
import { HAR } from './har.ts'
import { POSTMAN } from './postman.ts'
import { UPTIME_KUMA } from './uptime-kuma.ts'

/** The JSON that other programs write, in the order in which it is recognized. */
export const FOREIGN = {
  postman: POSTMAN,
  har: HAR,
  'uptime-kuma': UPTIME_KUMA,
  changedetection: CHANGEDETECTION,
} as const satisfies Record<string, ForeignFormat>

export type ForeignName = keyof typeof FOREIGN
export const FOREIGN_NAMES = Object.keys(FOREIGN) as ForeignName[]

/** The format of a JSON document, from its content. */
export function foreignFormatOf(value: unknown): ForeignFormat | undefined {
  return Object.values(FOREIGN).find((format) => format.is(value))
}
