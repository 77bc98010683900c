import { answerOf } from '../client/client.ts'
import { COMMON } from './args.ts'
import type { Command, Io, Option } from './command.ts'
import { safe } from './text.ts'

/** Maximum number of names offered. */
const MAX_NAMES = 100

/**
 * The possible words at the cursor, for shell completion; none if Weir is unreachable.
 * @param words those after the program's name, up to the one being typed
 */
export async function complete(
  commands: Record<string, Command>,
  shell: string,
  words: readonly string[],
  io: Io,
): Promise<string[]> {
  const typed = shell === 'bash' ? joined(words) : words
  const raw = typed.at(-1) ?? ''
  const current = shell === 'bash' ? unquoted(raw) : raw
  const found = await candidates(commands, typed.slice(0, -1), current, io)
  const fitting = found.filter((each) => each.startsWith(current))
  return shell === 'bash' ? fitting.map((each) => forBash(each, raw, current)) : fitting
}

async function candidates(
  commands: Record<string, Command>,
  before: readonly string[],
  current: string,
  io: Io,
): Promise<readonly string[]> {
  const [name, ...rest] = before
  if (name === undefined) return Object.keys(commands)
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command === undefined) return []
  const options: Record<string, Option> = { ...command.options, ...COMMON }
  const assigned = /^(--[\w-]+)=/.exec(current)
  const option = optionOf(options, assigned?.[1] ?? rest.at(-1))
  if (option?.value !== undefined) {
    return (option.choices ?? []).map((choice) => (assigned ? `${assigned[0]}${choice}` : choice))
  }
  if (current.startsWith('-')) return Object.keys(options).map((each) => `--${each}`)
  if (command.completes === 'streams') return streamNames(current, io)
  return command.completes ?? []
}

function optionOf(options: Record<string, Option>, word: string | undefined): Option | undefined {
  const entries = Object.entries(options)
  return entries.find(([name, { short }]) => word === `--${name}` || (short && word === `-${short}`))?.[1]
}

/** Names that can be typed; one with control characters, or that looks like an option, is used by its ID. */
async function streamNames(current: string, { client }: Io): Promise<string[]> {
  const query = { limit: MAX_NAMES, ...(current !== '' && { q: current }) }
  const page = await answerOf(client.url, client.api.streams.get({ query })).catch(() => undefined)
  const names = page?.items.map(({ name }) => name) ?? []
  return [...new Set(names)].filter((name) => safe(name) === name && !name.startsWith('-'))
}

/** Bash splits words at colons and equals signs: joins them again. */
function joined(words: readonly string[]): string[] {
  const whole: string[] = []
  let open = false
  for (const word of words) {
    const isPart = /^[:=]+$/.test(word)
    if ((isPart || open) && whole.length > 0) whole.push(whole.pop() + word)
    else whole.push(word)
    open = isPart
  }
  return whole
}

/** The text of a partly typed word, without quotes and escapes. */
function unquoted(word: string): string {
  const quote = word[0]
  if (quote === "'") return word.slice(1)
  if (quote === '"') return word.slice(1).replace(/\\(["\\$`])/g, '$1')
  return word.replace(/\\(.)/g, '$1')
}

/** A word for bash: unchanged after an open quote, otherwise with backslashes, starting after the last colon. */
function forBash(word: string, raw: string, current: string): string {
  const [quote] = raw
  if (quote === "'" || quote === '"') return word
  const parted = Math.max(current.lastIndexOf(':'), current.lastIndexOf('=')) + 1
  return word.slice(parted).replace(/[^\w@%+=:,./\u0080-\u{10ffff}-]/gu, '\\$&')
}
