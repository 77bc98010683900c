import { afterAll, beforeAll, expect, test } from 'bun:test'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const TOKEN = 'a-secret-of-sixteen'
/** Markup that every page has for its reader, as names. */
const MARKUP = [
  '<div class="who"></div>',
  '<!doctype html><html lang="en">',
  '<meta name="color-scheme" content="dark light"/>',
]
/** Pages without a stream, a problem among them, and one that needs no sign-in. */
const PATHS = [
  ...['/', '/streams', '/streams/new', '/streams/import', '/twins', '/topology', '/incidents', '/rules'],
  ...[
    '/silences',
    '/channels',
    '/storage',
    '/archive',
    '/settings',
    '/audit',
    '/openapi',
    '/nothing',
    '/login',
  ],
]

let weir: TestWeir
let session: string
let ids: string[]

beforeAll(async () => {
  weir = await startTestWeir({ WEIR_TOKEN: TOKEN })
  const headers = { Authorization: `Bearer ${TOKEN}`, 'Content-Type': 'application/json' }
  ids = await Promise.all(
    MARKUP.map(async (name, index) => {
      const stream = {
        name,
        url: `http://127.0.0.1:1/${index}`,
        kind: 'poll',
        tags: ['markup'],
        start: false,
      }
      const response = await fetch(`${weir.url}/api/streams`, {
        ...{ method: 'POST', headers, body: JSON.stringify(stream) },
      })
      expect(response.status).toBe(201)
      return ((await response.json()) as { id: string }).id
    }),
  )
  const body = new URLSearchParams({ secret: TOKEN })
  const signedIn = await fetch(`${weir.url}/login`, { method: 'POST', body, redirect: 'manual' })
  session = signedIn.headers.get('set-cookie')?.split(';')[0] ?? ''
})

afterAll(() => weir.close())

/** A page as a reader with these cookies gets it. */
function open(path: string, cookies: readonly string[], init: RequestInit = {}): Promise<Response> {
  const headers = { Accept: 'text/html', Cookie: cookies.join('; '), Origin: weir.url }
  return fetch(weir.url + path, { ...init, headers, redirect: 'manual' })
}

const preferring = (preferences: Record<string, string>) =>
  `weir-preferences=${new URLSearchParams(preferences)}`

test('every page has the theme and the time zone of its reader, and says who is signed in', async () => {
  const cookies = [session, preferring({ theme: 'dark', zone: 'utc' })]
  for (const path of [
    ...PATHS,
    `/streams/${ids[0]}`,
    `/streams/${ids[0]}/edit`,
    `/streams/${ids[0]}/document`,
  ]) {
    // Whoever is signed in is sent on from there.
    const isLogin = path === '/login'
    const page = await (await open(path, isLogin ? cookies.slice(1) : cookies)).text()
    expect([path, page]).toEqual([
      path,
      expect.stringMatching(/^<!doctype html><html lang="en" data-theme="dark" data-zone="utc">/),
    ])
    expect([path, page.match(/<meta name="color-scheme"[^>]*>/g)]).toEqual([
      path,
      ['<meta name="color-scheme" content="dark"/>'],
    ])
    const who =
      /<div class="who"><span class="who-name" title="Scope: admin">owner<\/span><form method="post" action="\/logout">/g
    expect([path, page.match(who)?.length ?? 0]).toEqual([path, isLogin ? 0 : 1])
  }
})

test('readers of the same page get their own', async () => {
  const starts = async (path: string, cookie: string) =>
    /^<!doctype html>(<html[^>]*>)/.exec(await (await open(path, [session, cookie])).text())?.[1]
  for (const path of ['/', '/openapi']) {
    expect([
      await starts(path, preferring({ theme: 'light' })),
      await starts(path, preferring({ zone: 'utc' })),
      await starts(path, ''),
    ]).toEqual([
      '<html lang="en" data-theme="light">',
      '<html lang="en" data-zone="utc">',
      '<html lang="en">',
    ])
  }
})

test('a program that sends a secret has nothing to sign out of', async () => {
  const headers = { Accept: 'text/html', Authorization: `Bearer ${TOKEN}` }
  const page = await (await fetch(`${weir.url}/streams`, { headers })).text()
  expect(page).toContain('<div class="who"><span class="who-name" title="Scope: admin">owner</span></div>')
})

test('names that look like the markup of a page stay names, and stay as they are', async () => {
  const cookies = [session, preferring({ theme: 'dark', zone: 'utc' })]
  for (const [index, id] of ids.entries()) {
    const name = Bun.escapeHTML(MARKUP[index] as string)
    for (const path of [`/streams/${id}`, `/streams/${id}/edit`, '/streams?tag=markup']) {
      const page = await (await open(path, cookies)).text()
      expect([path, page.includes(name)]).toEqual([path, true])
      expect([path, page.split('<div class="who">').length]).toEqual([path, 2])
    }
  }
})

test('a list that is shown with the mistakes in a form has as many rows as its reader asked for', async () => {
  const ordered = Array.from({ length: 30 }, (_, row) => ({
    ...{ name: `Row ${row}`, url: `http://127.0.0.1:1/rows/${row}`, kind: 'poll', start: false },
  }))
  const headers = { Authorization: `Bearer ${TOKEN}`, 'Content-Type': 'application/json' }
  const body = JSON.stringify(ordered)
  const added = await fetch(`${weir.url}/api/streams/import`, { method: 'POST', headers, body })
  expect(added.ok).toBe(true)
  const cookies = [session, preferring({ rows: '25' })]
  const refused = await open('/streams', cookies, {
    method: 'POST',
    body: new URLSearchParams({ url: 'nonsense' }),
  })
  expect(refused.status).toBe(422)
  expect((await refused.text()).match(/<tr id="stream-/g)?.length).toBe(25)
})
