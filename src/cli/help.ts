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
    'weir <command> [arguments] [options]: what Weir does, from a terminal or a script.',
    '',
    ...columns(lines),
    '',
    'weir <command> --help says the rest. A stream is named by its id or by its whole name.',
    'WEIR_URL says where Weir is (http://localhost:3000), WEIR_TOKEN holds its token, if it needs one.',
    'Exit codes: 0 well, 1 a stream is stalled or dead (status), 2 usage, 3 no Weir answers, 4 refused,',
    '5 no such stream, or several of that name, 130 interrupted.',
    '',
  ].join('\n')
}

function optionHead(name: string, { short, value }: Option): string {
  return `${short ? `-${short}, ` : '    '}--${name}${value ? ` ${value}` : ''}`
}

function optionHelp({ help, multiple }: Option): string {
  return multiple ? `${help}; may be given many times` : help
}

function columns(lines: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...lines.map(([head]) => head.length))
  return lines.map(([head, help]) => `  ${head.padEnd(width)}  ${help}`)
}
