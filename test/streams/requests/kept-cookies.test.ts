import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtempSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Vault } from '../../../src/streams/requests/vault.ts'
import { removeDataDir } from '../../support/data-dir.ts'
import { until } from '../../support/until.ts'
import { startUpstream, type Upstream } from '../../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../../support/weir.ts'

let upstream: Upstream
let dataDir: string
let weir: TestWeir | undefined

beforeEach(() => {
  upstream = startUpstream()
  dataDir = mkdtempSync(join(tmpdir(), 'weir-cookies-'))
})

afterEach(async () => {
  await weir?.close()
  await upstream.stop()
  await removeDataDir(dataDir)
})

const sent = (path: string) => (upstream.requests.get(path) ?? []).map(({ headers }) => headers.get('cookie'))

/** An API that sets a session cookie once. */
function signingIn(path: string): string {
  return upstream.on(path, (request) =>
    Response.json(
      {},
      request.headers.has('cookie') ? {} : { headers: { 'set-cookie': 'session=a-secret-session; Path=/' } },
    ),
  )
}

test('a stream that keeps its cookies sends them with later polls, also after a restart', async () => {
  weir = await startTestWeir({ DATA_DIR: dataDir })
  const url = signingIn('/kept')
  const { id } = await weir.register({ url, kind: 'poll', intervalMs: 500, cookies: 'stream' })
  await until('three polls were sent', () => sent('/kept').length >= 3)
  const before = sent('/kept')
  expect(before.slice(0, 3)).toEqual([null, 'session=a-secret-session', 'session=a-secret-session'])
  expect(JSON.stringify(await weir.logs(id))).not.toContain('a-secret-session')
  expect(statSync(join(dataDir, 'cookies.key')).mode & 0o077).toBe(0)
  await weir.close()
  const polls = sent('/kept').length
  weir = await startTestWeir({ DATA_DIR: dataDir })
  await until('it is polled again', () => sent('/kept').length > polls)
  expect(
    sent('/kept')
      .slice(1)
      .every((cookie) => cookie === 'session=a-secret-session'),
  ).toBe(true)
})

test('by default, cookies last for one request', async () => {
  weir = await startTestWeir({ DATA_DIR: dataDir })
  await weir.register({ url: signingIn('/plain'), kind: 'poll', intervalMs: 500 })
  await until('three polls were sent', () => sent('/plain').length >= 3)
  expect(sent('/plain').slice(0, 3)).toEqual([null, null, null])
})

test('cookies are gone when the URL leads to another host, and when they are no longer kept', async () => {
  weir = await startTestWeir({ DATA_DIR: dataDir })
  const { id } = await weir.register({
    url: signingIn('/moves'),
    kind: 'poll',
    intervalMs: 500,
    cookies: 'stream',
  })
  await until('a cookie is sent', () => sent('/moves').includes('session=a-secret-session'))
  const elsewhere = `${upstream.url.replace('127.0.0.1', 'localhost')}/moves`
  await weir.send('PATCH', `/api/streams/${id}`, { url: elsewhere, cookies: 'request' })
  const asked = sent('/moves').length
  await until('it is polled there', () => sent('/moves').length > asked + 1)
  expect(
    sent('/moves')
      .slice(asked + 1)
      .every((cookie) => cookie === null),
  ).toBe(true)
})

test('what is stored can be read with its key, for its stream only', () => {
  const vault = new Vault(() => 'secret')
  const sealed = vault.seal('cookies', 'a')
  expect(Buffer.from(sealed).toString('latin1')).not.toContain('cookies')
  expect(vault.open(sealed, 'a')).toBe('cookies')
  expect(vault.open(sealed, 'b')).toBeUndefined()
  expect(new Vault(() => 'other').open(sealed, 'a')).toBeUndefined()
  expect(vault.open(sealed.slice(0, 20), 'a')).toBeUndefined()
  expect(vault.open(new Uint8Array(), 'a')).toBeUndefined()
})
