import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { parseConfig } from '../src/config.ts'

interface Compose {
  services: Record<
    string,
    {
      build?: string
      healthcheck?: { disable?: boolean }
      read_only?: boolean
      environment?: Record<string, string>
      deploy?: { replicas: number }
    }
  >
}

test('every Weir of compose.yaml has settings that Weir understands', async () => {
  const text = await Bun.file(join(import.meta.dir, '../compose.yaml')).text()
  const { services } = Bun.YAML.parse(text) as Compose
  const roles = Object.values(services).flatMap(({ build, environment, deploy }) => {
    if (build === undefined) return []
    const settings = { ...environment, WEIR_TOKEN: 'a-secret-for-this-test' }
    const { role, databaseUrl, redisUrl } = parseConfig(settings)
    expect(databaseUrl).toBe('postgres://weir:weir@postgres:5432/weir')
    expect(redisUrl).toBe('redis://redis:6379')
    return Array.from({ length: deploy?.replicas ?? 1 }, () => role)
  })
  expect(roles).toEqual(['web', 'worker', 'worker'])
  // Only what listens can be asked whether it is ready.
  expect(services.web?.healthcheck).toBeUndefined()
  expect(services.worker?.healthcheck).toEqual({ disable: true })
  expect(Object.keys(services)).toEqual(['web', 'worker', 'postgres', 'redis', 's3'])
})
