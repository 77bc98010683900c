import { expect, test } from 'bun:test'
import { takeEnvironment } from '../src/environment.ts'

test('takeEnvironment returns every variable, and leaves only what others may read', () => {
  const kept = { PATH: '/bin', HOME: '/root', TZ: 'UTC', LC_ALL: 'C', BUN_CONFIG_MAX_HTTP_REQUESTS: '9' }
  const live: Record<string, string | undefined> = {
    ...kept,
    ...{ PORT: '1', WEIR_TOKEN: 'hush', HTTP_PROXY: 'http://p', http_proxy: 'http://p', no_proxy: 'a' },
    ...{ AWS_SESSION_TOKEN: 'hush', PGPASSWORD: 'hush', PGSSLMODE: 'disable', DEBUG: '*' },
    ...{ NODE_TLS_REJECT_UNAUTHORIZED: '0', A_VARIABLE_THAT_NOBODY_KNOWS: 'x' },
  }
  const before = { ...live }
  expect(takeEnvironment(live)).toEqual(before)
  expect(live).toEqual(kept)
})
