import { beforeAll, expect, test } from 'bun:test'
import type { Page } from 'playwright-core'
import { MAX_ROWS } from '../../src/routes/settings/preferences.ts'
import { openPage, PHONE, sidewaysScroll } from '../support/browser.ts'
import { useConsole } from '../support/console.ts'
import { describeInBrowser } from '../support/in-browser.ts'
import { until } from '../support/until.ts'

interface Listed {
  items: { id: string; name: string; desired: string; tags: string[] }[]
}

describeInBrowser('in a browser', () => {
  const site = useConsole()

  beforeAll(async () => {
    const lines = Array.from({ length: 120 }, (_, index) => {
      const name = `Listed ${String(index).padStart(3, '0')}`
      return JSON.stringify({ url: `http://127.0.0.1:1/${index}`, kind: 'poll', name, start: false })
    })
    await site.weir.send('POST', '/api/streams/import?format=ndjson&tag=list', lines.join('\n'))
  })

  const names = (page: Page) => page.locator('table.streams tbody th a:first-of-type').allTextContents()
  const tagged = async (tag: string) =>
    (await site.weir.json<Listed>(`/api/streams?limit=500&tag=${tag}`)).items

  test.each([{ javaScriptEnabled: true }, { javaScriptEnabled: false }])(
    'columns sort by links, and pages keep the order ($javaScriptEnabled)',
    async (options) => {
      const { page, close } = await site.open('/streams?tag=list', options)
      const head = () => page.getByRole('columnheader', { name: 'Stream' })
      expect(await head().getAttribute('aria-sort')).toBeNull()
      await head().getByRole('link').click()
      await page.waitForURL(/sort=name/)
      expect(await head().getAttribute('aria-sort')).toBe('ascending')
      expect((await names(page))[0]).toBe('Listed 000')
      await head().getByRole('link').click()
      await page.waitForURL(/order=desc/)
      expect(await head().getAttribute('aria-sort')).toBe('descending')
      const shown = await names(page)
      for (let turned = 0; turned < 2; turned++) {
        await page.getByRole('link', { name: 'Next page' }).click()
        await page.waitForURL((url) => !shown.includes(url.href) && url.searchParams.has('after'))
        await until('another page', async () => (await names(page))[0] !== shown.at(-50))
        shown.push(...(await names(page)))
      }
      const all = Array.from({ length: 120 }, (_, index) => `Listed ${String(index).padStart(3, '0')}`)
      expect(shown).toEqual(all.reverse())
      expect(await page.getByRole('link', { name: 'Next page' }).count()).toBe(0)
      await close()
    },
  )

  test('filters are part of the URL, and each has a chip to remove it', async () => {
    const { page, close } = await site.open('/streams?sort=name')
    await page.getByLabel('Search').fill('listed 00')
    await page.getByRole('search').getByLabel('Tag').fill('list')
    await page.getByRole('search').getByLabel('Kind').selectOption('poll')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Filter' }).click()
    await page.waitForURL(/kind=poll/)
    expect(new URL(page.url()).searchParams.get('sort')).toBe('name')
    expect(await names(page)).toHaveLength(10)
    const chips = page.getByRole('list', { name: 'Filters' })
    await chips.getByRole('link', { name: /Search/ }).click()
    await page.waitForURL((url) => !url.searchParams.get('q'))
    expect(await names(page)).toHaveLength(50)
    expect(await chips.getByRole('link').allTextContents()).toEqual([
      ...['Tag: list ✕', 'Kind: Poll ✕', 'Show all', 'Report of this tag'],
    ])
    await close()
  })

  test('a range of rows is selected with Shift, and survives updates of the table', async () => {
    const { page, faults, close } = await site.open('/streams?tag=list&sort=name')
    const boxes = page.locator('input[name=id]')
    await boxes.nth(1).click()
    await boxes.nth(4).click({ modifiers: ['Shift'] })
    expect(await page.locator('input[name=id]:checked').count()).toBe(4)
    const url = site.upstream.on('/new', () => Response.json({}))
    const first = await site.weir.register({ url, kind: 'poll', name: 'Added', tags: ['list'], start: false })
    await page.getByText('Added').waitFor()
    expect(await page.locator('input[name=id]:checked').count()).toBe(4)
    await page.getByLabel('Tag to add or remove').fill('range')
    await page.getByRole('button', { name: 'Add tag' }).click()
    await page.getByText('Tagged 4 of 4.').waitFor()
    await site.weir.send('DELETE', `/api/streams/${first.id}`)
    expect((await tagged('range')).map(({ name }) => name)).toEqual([
      'Listed 001',
      'Listed 002',
      'Listed 003',
      'Listed 004',
    ])
    expect(faults).toEqual([])
    await close()
  })

  test('deleting all matching streams asks first, with their number', async () => {
    const lines = Array.from({ length: 55 }, (_, index) =>
      JSON.stringify({ url: `http://127.0.0.1:1/gone/${index}`, kind: 'poll', start: false, tags: ['gone'] }),
    )
    await site.weir.send('POST', '/api/streams/import?format=ndjson', lines.join('\n'))
    const { page, close } = await openPage(site.browser)
    const asked: string[] = []
    page.removeAllListeners('dialog')
    page.on('dialog', (dialog) => {
      asked.push(dialog.message())
      void (asked.length === 1 ? dialog.dismiss() : dialog.accept())
    })
    await page.goto(`${site.weir.url}/streams?tag=gone`)
    await page.getByLabel('All 55 matching').check()
    await page.getByRole('button', { name: 'Delete…' }).click()
    expect(await tagged('gone')).toHaveLength(55)
    await page.getByRole('button', { name: 'Delete…' }).click()
    await page.getByText('Deleted 55 of 55.').waitFor()
    await page.getByText('No matching streams.').waitFor()
    expect(asked).toEqual(Array(2).fill("Delete 55 streams and their logs? This can't be undone."))
    expect(await tagged('gone')).toEqual([])
    await close()
  })

  test('without script, a form changes many streams, and a page confirms deletion', async () => {
    const { page, close } = await site.open('/streams?tag=list&q=Listed+11&sort=name', {
      javaScriptEnabled: false,
    })
    await page.getByLabel('Select Listed 110').check()
    await page.getByLabel('Select Listed 112').check()
    await page.getByLabel('Tag to add or remove').fill('plain')
    await page.getByRole('button', { name: 'Add tag' }).click()
    expect(await page.textContent('h1')).toBe('Tagged 2 of 2')
    await page.goto(`${site.weir.url}/streams?tag=plain`)
    await page.getByLabel('All 2 matching').check()
    await page.getByRole('button', { name: 'Delete…' }).click()
    expect(await page.textContent('h1')).toBe('Delete 2 streams?')
    expect(await tagged('plain')).toHaveLength(2)
    await page.getByRole('button', { name: 'Delete 2' }).click()
    expect(await page.textContent('h1')).toBe('Deleted 2 of 2')
    expect(await tagged('plain')).toEqual([])
    await close()
  })

  test('a list gets updates only for its own rows', async () => {
    const counting = site.upstream.on('/counting', (_request, hit) => Response.json({ hit }))
    const shown = await site.weir.register({ url: counting, kind: 'poll', intervalMs: 500, name: 'Shown' })
    const other = await site.weir.register({ url: counting, kind: 'poll', intervalMs: 500, name: 'Other' })
    const leaving = new AbortController()
    const look = async (name: string) => {
      const page = await (await site.weir.get(`/streams?q=${name}`)).text()
      const href = /hx-sse:connect="([^"]+)"/.exec(page)?.[1]?.replaceAll('&amp;', '&') ?? ''
      return fetch(site.weir.url + href, { signal: leaving.signal })
    }
    const hear = async (name: string, id: string) => {
      let text = ''
      for await (const chunk of (await look(name)).body as ReadableStream<Uint8Array>) {
        text += new TextDecoder().decode(chunk)
        if (text.split(`id="stream-${id}"`).length > 8) break
      }
      return text
    }
    const [ofShown, ofOther] = await Promise.all([hear('Shown', shown.id), hear('Other', other.id)])
    leaving.abort()
    expect(ofShown).not.toContain(other.id)
    expect(ofOther).not.toContain(shown.id)
    const late = await site.weir.get(
      `/streams/live?ids=${Array(MAX_ROWS + 1)
        .fill(shown.id)
        .join()}`,
    )
    expect(late.status).toBe(422)
    for (const { id } of [shown, other]) await site.weir.send('DELETE', `/api/streams/${id}`)
  })

  test('live updates don’t shift the layout', async () => {
    const url = site.upstream.on('/moving', (_request, hit) =>
      Response.json({ hit, text: 'x'.repeat(hit * 50) }),
    )
    const { id } = await site.weir.register({ url, kind: 'poll', intervalMs: 500, name: 'Moving' })
    await site.weir.entry(id, 'a few polls', ({ seq }) => seq > 3)
    const { page, faults, close } = await site.open('/streams?q=Moving')
    const row = page.locator(`#stream-${id}`)
    const bytes = () => row.locator('td[data-label="Bytes/min"]').textContent()
    const at = () => page.locator('table.streams').boundingBox()
    const cells = () =>
      row.locator('td').evaluateAll((all) => all.map((cell) => cell.getBoundingClientRect().x))
    const before = [await at(), await cells()]
    const first = await bytes()
    await until('the row has changed', async () => (await bytes()) !== first)
    expect([await at(), await cells()]).toEqual(before)
    expect(faults).toEqual([])
    await site.weir.send('DELETE', `/api/streams/${id}`)
    await close()
  })

  test('an import shows a preview, asks for missing secrets, and then imports', async () => {
    const { page, faults, close } = await site.open('/streams')
    await page.getByRole('link', { name: 'Import', exact: true }).click()
    const csv =
      'url,name,kind,tags,start,header:X-Api-Key\nhttp://127.0.0.1:1/a,One,poll,imp,false,•••\nnowhere,Two,,,,\n'
    await page.getByLabel('Registrations file').setInputFiles({
      name: 'streams.csv',
      mimeType: 'text/csv',
      buffer: Buffer.from(csv),
    })
    await page.getByText('0 streams will be created, 0 updated. 0 unchanged, 2 failed.').waitFor()
    await page.getByLabel('X-Api-Key').fill('k-1')
    await page.getByRole('button', { name: 'Preview', exact: true }).click()
    await page.getByText('1 stream will be created, 0 updated. 0 unchanged, 1 failed.').waitFor()
    expect(await tagged('imp')).toEqual([])
    await page.getByRole('button', { name: 'Import 1', exact: true }).click()
    await page.getByText('Imported: 1 created, 0 updated, 0 unchanged, 1 failed.').waitFor()
    expect((await tagged('imp')).map(({ name }) => name)).toEqual(['One'])
    expect(faults).toEqual([])
    await close()
  })

  test('without script an import takes two forms: preview and import', async () => {
    const { page, close } = await site.open('/streams/import', { javaScriptEnabled: false })
    const line = { url: 'http://127.0.0.1:1/plain', kind: 'poll', name: '<b>Plain</b>', start: false }
    await page.getByLabel('Registrations file').setInputFiles({
      name: 'streams.json',
      mimeType: 'application/json',
      buffer: Buffer.from(JSON.stringify([line])),
    })
    await page.getByLabel('Tag', { exact: true }).fill('noscript')
    await page.getByRole('button', { name: 'Preview', exact: true }).click()
    expect(await page.textContent('#import-result')).toContain(
      '1 stream will be created, 0 updated. 0 unchanged, 0 failed.',
    )
    expect(await page.textContent('#import-lines')).toContain('<b>Plain</b>')
    expect(await tagged('noscript')).toEqual([])
    await page.getByRole('button', { name: 'Import', exact: true }).click()
    expect(await page.textContent('#import-result')).toContain('Imported: 1 created')
    expect(await tagged('noscript')).toHaveLength(1)
    await close()
  })

  test('list and import fit on a phone, in both themes', async () => {
    for (const colorScheme of ['dark', 'light'] as const) {
      const { page, faults, close } = await openPage(site.browser, { viewport: PHONE, colorScheme })
      for (const path of ['/streams?tag=list&q=Listed&sort=status', '/streams/import']) {
        await page.goto(site.weir.url + path)
        await page.locator('main').waitFor()
        expect({ path, scroll: await sidewaysScroll(page) }).toEqual({ path, scroll: 0 })
      }
      expect(faults).toEqual([])
      await close()
    }
  })
})
