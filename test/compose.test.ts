import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseConfig } from '../src/config/config.ts'
import { until } from './support/until.ts'

interface Compose {
  services: Record<
    string,
    {
      image?: string
      build?: string
      healthcheck?: { disable?: boolean }
      read_only?: boolean
      command?: string
      environment?: Record<string, string>
      deploy?: { replicas: number }
    }
  >
}

const SECRETS: Readonly<Record<string, string>> = {
  WEIR_TOKEN: 'a-secret-for-this-test',
  POSTGRES_PASSWORD: 'postgres0secret',
  REDIS_PASSWORD: 'redis0secret',
}
const text = (await Bun.file(join(import.meta.dir, '../compose.yaml')).text()).replace(/^ *#.*$/gm, '')
const VARIABLE = /\$\{(\w+):\?[^}]+\}/g
/** As Compose reads it, with everything set that it asks for. */
const { services } = Bun.YAML.parse(
  text.replace(VARIABLE, (_, name: string) => SECRETS[name] ?? ''),
) as Compose

test('every secret of compose.yaml is required and has no default', () => {
  const asked = new Set([...text.matchAll(VARIABLE)].map(([, name]) => name as string))
  expect([...asked].sort()).toEqual(Object.keys(SECRETS).sort())
  // Neither a variable that may be left out, nor a password that stands there.
  expect(text.replace(VARIABLE, '')).not.toContain('$')
  const raw = Bun.YAML.parse(text) as Compose
  const given = Object.values(raw.services).flatMap(({ environment = {} }) => Object.entries(environment))
  const secrets = given.filter(([name]) => /PASSWORD|TOKEN|SECRET|KEY|AUTH/.test(name))
  expect(secrets.length).toBeGreaterThan(3)
  for (const [, value] of secrets) expect(value).toMatch(/^\$\{\w+:\?[^}]+\}$/)
  for (const [, value] of given.filter(([, each]) => each.includes('://'))) {
    expect(value.replace(VARIABLE, 'asked')).toMatch(/:\/\/\w*:asked@/)
  }
})

const redis = Bun.which('redis-server')
test.skipIf(redis === null)(
  "its Redis asks for the password, and doesn't show it to other users",
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'weir-compose-'))
    // On a socket of its own: its port may be taken.
    const socket = join(directory, 'redis.sock')
    const command = (services.redis?.command ?? '').split(/\s+/)
    const own = Bun.spawn([...command, '--port', '0', '--unixsocket', socket], {
      ...{ cwd: directory, stdout: 'ignore', stderr: 'ignore' },
    })
    const ping = (environment = {}) => {
      const env = { PATH: process.env.PATH, ...environment }
      return Bun.spawnSync(['redis-cli', '-s', socket, 'ping'], { env }).stdout.toString().trim()
    }
    try {
      await until('it answers', () => ping(services.redis?.environment) === 'PONG')
      expect(ping()).toContain('NOAUTH')
      const shown = await Bun.file(`/proc/${own.pid}/cmdline`).text()
      expect(shown).not.toContain(SECRETS.REDIS_PASSWORD as string)
    } finally {
      own.kill('SIGKILL')
      await own.exited
      rmSync(directory, { recursive: true, force: true })
    }
  },
)

test('every service of compose.yaml has valid settings', () => {
  const roles = Object.values(services).flatMap(({ build, environment, deploy }) => {
    if (build === undefined) return []
    const { role, databaseUrl, redisUrl, token } = parseConfig(environment ?? {})
    expect(databaseUrl).toBe('postgres://weir:postgres0secret@postgres:5432/weir')
    expect(redisUrl).toBe('redis://:redis0secret@redis:6379')
    expect(token).toBe(SECRETS.WEIR_TOKEN as string)
    return Array.from({ length: deploy?.replicas ?? 1 }, () => role)
  })
  expect(roles).toEqual(['web', 'worker', 'worker'])
  // Only what listens can be asked whether it is ready.
  expect(services.web?.healthcheck).toBeUndefined()
  expect(services.worker?.healthcheck).toEqual({ disable: true })
  expect(Object.keys(services)).toEqual(['web', 'worker', 'postgres', 'redis', 's3'])
})
