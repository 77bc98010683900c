import { COMMON } from './args.ts'
import type { Command, Option } from './command.ts'

export function commandHelp(name: string, command: Command): string {
  const head = [`weir ${name} ${command.takes}`.trimEnd(), '', `${command.summary}.`]
  const options = { ...command.options, ...COMMON }
  const lines = Object.entries(options).map(
    ([option, about]) => [optionHead(option, about), optionHelp(about)] as const,
  )
  const examples = command.examples.map((example) => `  ${example}`)
  return [...head, '', 'Options:', ...columns(lines), '', 'Examples:', ...examples, ''].join('\n')
}

export function programHelp(commands: Record<string, Command>): string {
  const lines = Object.entries(commands).map(
    ([name, { takes, summary }]) =>
      [`${name} ${takes}`.trimEnd(), `${summary.charAt(0).toLowerCase()}${summary.slice(1)}`] as const,
  )
  return [
    'weir <command> [arguments] [options]: control Weir from a terminal or a script.',
    '',
    ...columns(lines),
    '',
    'Run weir <command> --help for details. Identify a stream by its ID or its full name.',
    'WEIR_URL is the URL of Weir (default: the one that uses DATA_DIR, or http://localhost:3000), WEIR_TOKEN a token or API key, if required.',
    'Exit codes: 0 success, 1 a stream is stalled or dead (status), 2 usage error, 3 Weir is unreachable,',
    '4 rejected by Weir, 5 stream not found or ambiguous, 130 interrupted.',
    '',
  ].join('\n')
}

function optionHead(name: string, { short, value }: Option): string {
  return `${short ? `-${short}, ` : '    '}--${name}${value ? ` ${value}` : ''}`
}

function optionHelp({ help, multiple }: Option): string {
  return multiple ? `${help}; repeatable` : help
}

function columns(lines: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...lines.map(([head]) => head.length))
  return lines.map(([head, help]) => `  ${head.padEnd(width)}  ${help}`)
}
