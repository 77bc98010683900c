import { createClient } from '../client/client.ts'
import { UnreachableError, WeirError } from '../client/errors.ts'
import { BackupError } from '../core/backup.ts'
import { readArguments } from './args.ts'
import { BENCH_SERVER, SERVER_KINDS, type ServerKind } from './bench/protocol.ts'
import { serveBench } from './bench/serve.ts'
import { BenchError, type Command, EXIT, FileError, type Io, UnclearError, UsageError } from './command.ts'
import { COMMANDS } from './commands.ts'
import { complete } from './complete.ts'
import { COMPLETE } from './completion-scripts.ts'
import { commandHelp, programHelp } from './help.ts'
import { nearest } from './nearest.ts'
import { safe } from './text.ts'

const DEFAULT_URL = 'http://localhost:3000'
/** Timeout for a shell completion, in milliseconds. */
const COMPLETE_MS = 2_000
const HELP = new Set(['help', '--help', '-h'])

/** Everything the program needs from outside. */
export interface World extends Omit<Io, 'client'> {
  /** WEIR_URL and WEIR_TOKEN. */
  url: string | undefined
  token: string | undefined
  fetch?: Parameters<typeof createClient>[0]['fetch']
}

/** Runs one command line. @returns the exit code */
export async function run(argv: readonly string[], world: World): Promise<number> {
  try {
    return await dispatch(argv, world)
  } catch (error) {
    if (world.stopped.aborted) return EXIT.interrupted
    const { text, code } = explain(error)
    await world.err.write(text)
    return code
  }
}

async function dispatch(line: readonly string[], world: World): Promise<number> {
  const [name, ...argv] = commandFirst(line)
  if (name === COMPLETE) return completed(argv, world)
  if (name === BENCH_SERVER) return benchServed(argv, world)
  if (name === undefined || HELP.has(name)) {
    await (name === undefined ? world.err : world.out).write(programHelp(COMMANDS))
    return name === undefined ? EXIT.usage : EXIT.ok
  }
  const command = commandNamed(name)
  const given = readArguments(name, command, argv)
  if (given.has('help')) {
    await world.out.write(commandHelp(name, command))
    return EXIT.ok
  }
  const io = { ...world, client: clientOf(world, given.text('url')) }
  return command.run(given, io).catch((error) => {
    throw error instanceof UsageError ? new UsageError(error.problems, name) : error
  })
}

/** The line with leading options moved behind the command. */
function commandFirst(line: readonly string[]): readonly string[] {
  let at = 0
  while (line[at]?.startsWith('-') && !HELP.has(line[at] as string)) at += line[at] === '--url' ? 2 : 1
  if (at >= line.length) return line
  return [line[at] as string, ...line.slice(0, at), ...line.slice(at + 1)]
}

function commandNamed(name: string): Command {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (command !== undefined) return command
  const meant = nearest(name, Object.keys(COMMANDS))
  throw new UsageError([`unknown command "${name}"${meant ? `; did you mean ${meant}?` : ''}`])
}

async function completed([shell = '', ...words]: readonly string[], world: World): Promise<number> {
  const asked = words.findLast((_, index) => words[index - 1] === '--url')
  const client = clientOf(world, asked, COMPLETE_MS)
  const found = await complete(COMMANDS, shell, words, { ...world, client })
  await world.out.write(found.map((each) => `${each}\n`).join(''))
  return EXIT.ok
}

/** One side of a bench, which the command starts as a process. */
async function benchServed([kind]: readonly string[], { input, fanout, out }: World): Promise<number> {
  const isKind = SERVER_KINDS.some((each) => each === kind)
  if (!isKind || input === undefined || fanout === undefined)
    throw new UsageError(['expected a kind of server'])
  await serveBench(kind as ServerKind, { input: input(), fanout, write: (line) => out.write(line) })
  return EXIT.ok
}

function clientOf({ url, token, fetch, stopped }: World, given: string | undefined, timeoutMs?: number) {
  const text = given || url || DEFAULT_URL
  const name = given ? '--url' : 'WEIR_URL'
  const parsed = URL.parse(text)
  const isUsable =
    parsed !== null &&
    ['http:', 'https:'].includes(parsed.protocol) &&
    parsed.username + parsed.password + parsed.search + parsed.hash === ''
  if (!isUsable) {
    throw new UsageError([
      `${name}: expected an http or https URL without credentials or query, got "${text}"`,
    ])
  }
  // Not shown: a token is a secret even if it is mistyped.
  if (token && !/^[\x21-\x7e]+$/.test(token)) {
    throw new UsageError(['WEIR_TOKEN: expected visible ASCII characters without spaces'])
  }
  return createClient({
    url: parsed.href,
    token,
    signal: stopped,
    ...(fetch && { fetch }),
    ...(timeoutMs && { timeoutMs }),
  })
}

function explain(error: unknown): { text: string; code: number } {
  const sentence = (text: string, code: string) => `weir: ${safe(text)} (${safe(code)})\n`
  if (error instanceof UsageError) {
    const lines = error.problems.map((problem) => sentence(problem, 'usage'))
    const help = error.command === undefined ? 'weir --help' : `weir ${error.command} --help`
    return { text: `${lines.join('')}Run ${help} for usage.\n`, code: EXIT.usage }
  }
  if (error instanceof UnclearError) return { text: sentence(error.message, error.code), code: EXIT.unclear }
  if (error instanceof BenchError) return { text: sentence(error.message, error.code), code: EXIT.refused }
  if (error instanceof BackupError) return { text: sentence(error.message, 'backup'), code: EXIT.refused }
  if (error instanceof FileError) return { text: sentence(error.message, 'file'), code: EXIT.refused }
  if (error instanceof UnreachableError) return { text: sentence(error.message, error.code), code: EXIT.away }
  if (error instanceof WeirError) {
    const code =
      error.code === 'not_found' ? EXIT.unclear : error.code === 'not_weir' ? EXIT.away : EXIT.refused
    return { text: sentence(error.detail, error.code), code }
  }
  throw error
}
