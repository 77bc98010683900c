import { expect, test } from 'bun:test'
import { parseArguments } from '../../src/sim/args.ts'

function options(...argv: string[]) {
  const parsed = parseArguments(argv, undefined)
  if (parsed.kind !== 'run') throw new Error(JSON.stringify(parsed))
  return parsed.options
}

function problems(...argv: string[]): string[] {
  const parsed = parseArguments(argv, undefined)
  return parsed.kind === 'invalid' ? parsed.problems : []
}

test('without arguments the sample graph starts with its defaults', () => {
  const { services, ...rest } = options()
  expect(rest).toEqual({
    web: 'http://127.0.0.1:3000',
    register: true,
    traffic: { entry: 'UI', perMinute: 12 },
  })
  const graph = Object.fromEntries(
    services.map(({ name, port, timeoutMs, services: called }) => [name, [port, timeoutMs, called]]),
  )
  expect(graph).toEqual({
    T: [5010, 1_000, []],
    DS: [5011, 800, []],
    TM: [5012, 1_500, []],
    V: [5013, 4_000, ['T', 'DS', 'TM']],
    P: [5014, 4_000, ['V', 'H']],
    D: [5015, 4_000, ['P']],
    UI: [5016, 4_000, ['D']],
    H: [5017, 1_000, []],
  })
})

test('a port base moves the whole graph, and 0 gives every service a free port', () => {
  expect(options('--port-base', '6000').services.find(({ name }) => name === 'H')?.port).toBe(6007)
  expect(options('--port-base', '0').services.every(({ port }) => port === 0)).toBe(true)
})

test('one service alone is described by its options, short or long', () => {
  const services = [
    {
      name: 'V',
      host: '127.0.0.1',
      port: 5013,
      timeoutMs: 900,
      services: ['127.0.0.1:5010', 'host.local:80'],
    },
  ]
  const short = ['-l', '5013', '-n', 'V', '-t', '900', '-s', '127.0.0.1:5010', '-s', 'host.local:80']
  expect(options(...short)).toEqual({ services, web: 'http://127.0.0.1:3000', register: true })
  const long = ['--listen=5013', '--node=V', '--timeout=900', '--services=127.0.0.1:5010']
  expect(options(...long, '--services', 'host.local:80').services).toEqual(services)
})

test('one service can listen on another host, and waits 200 ms by default', () => {
  const [service] = options('-l', '0.0.0.0:5010', '-n', 'T').services
  expect(service).toEqual({ name: 'T', host: '0.0.0.0', port: 5010, timeoutMs: 200, services: [] })
  expect(options('-l', '[::1]:5010', '-n', 'T').services[0]?.host).toBe('[::1]')
})

test('the other options are read', () => {
  const parsed = options(
    '--web',
    'https://weir.example/base/',
    '--seed',
    '0',
    '--traffic',
    '0',
    '--no-register',
  )
  expect(parsed).toMatchObject({ web: 'https://weir.example/base', seed: 0, register: false })
  expect(parsed).toMatchObject({ traffic: { perMinute: 0 } })
})

test('another graph is chosen by name, with overrides', () => {
  expect(options('--graph', 'shop')).toMatchObject({ services: [], graph: { which: 'shop' } })
  const chosen = options('--graph=a.yaml', '--port-base', '0', '--traffic', '5', '--control', '7000')
  expect(chosen).toMatchObject({
    graph: { which: 'a.yaml', portBase: 0, perMinute: 5 },
    controlPort: 7000,
  })
  expect(options('--graph', 'seed')).toEqual(options())
})

test('the token comes from the environment', () => {
  expect(parseArguments([], 'secret')).toMatchObject({ options: { token: 'secret' } })
  expect(parseArguments([], '')).not.toHaveProperty('options.token')
  const bad = parseArguments([], 'sec\nret')
  expect(bad.kind === 'invalid' && bad.problems.length === 1).toBe(true)
  expect(JSON.stringify(bad)).not.toContain('sec')
})

test('all errors are reported at once', () => {
  const argv = '-l 70000 -t 1.5 -s a -s b:1 -s b:1 --seed -1 --web ftp://x --traffic 3 --bogus -x pos'.split(
    ' ',
  )
  expect(problems(...argv, '--no-register=1')).toEqual([
    '--bogus: unknown option',
    '-x: unknown option',
    'unexpected argument "pos"',
    '--no-register: expected no value, got "1"',
    '--seed: expected a whole number from 0 to 4294967295, got "-1"',
    '--traffic: not allowed for a single service',
    '--node: expected a name of 1 to 100 characters, got none',
    '--listen: expected a port or host:port, got "70000"',
    '--timeout: expected a whole number from 1 to 600000, got "1.5"',
    '--services: expected host:port, got "a"',
    '--services: b:1 is given more than once',
    '--web: expected an http or https URL without credentials, query or fragment, got "ftp://x"',
  ])
})

test.each([
  [['--port-base', '65529'], '--port-base'],
  [['--traffic', 'many'], '--traffic'],
  [['--graph'], '--graph'],
  [['--graph', 'shop', '-n', 'T', '-l', '1'], '--graph'],
  [['--control', '70000'], '--control'],
  [['--seed', '4294967296'], '--seed'],
  [['--seed'], '--seed'],
  [['--web', 'http://user:pw@x'], '--web'],
  [['--web', 'localhost:3000'], '--web'],
  [['-n', 'T'], '--listen'],
  [['-l', '5010', '-n', ''], '--node'],
  [['-l', '5010', '-n', 'T', '-t', '0'], '--timeout'],
  [['-l', '5010', '-n', 'T', '-s', '5011'], '--services'],
])('%p names the invalid option', (argv, option) => {
  const found = problems(...argv)
  expect(found).toHaveLength(1)
  expect(found[0]).toStartWith(`${option}:`)
})

test('help is shown whatever else is given', () => {
  expect(parseArguments(['--help', '--bogus'], undefined)).toEqual({ kind: 'help' })
})
