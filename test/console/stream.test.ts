import { expect, test } from 'bun:test'
import type { Page } from 'playwright-core'
import { openPage, PHONE, sidewaysScroll } from '../support/browser.ts'
import { useConsole } from '../support/console.ts'
import { describeInBrowser } from '../support/in-browser.ts'
import { until } from '../support/until.ts'
import { Feed, startUpstream } from '../support/upstream.ts'

describeInBrowser('the page of a stream', () => {
  const site = useConsole()

  /** A stream of events that come when they are sent, and its page. */
  async function followed(path: string) {
    const feed = new Feed()
    const url = site.upstream.on(path, () => feed.response())
    const { id } = await site.weir.register({ url, kind: 'sse', name: path })
    await until('it is connected', () => feed.readers > 0)
    const send = (name: string, data: string) => feed.send(`event: ${name}\ndata: ${data}\n\n`)
    return { id, send }
  }

  const lines = (page: Page) => page.locator('#log > li .preview')

  test('a notification shows its recipients first, and then the result', async () => {
    const heard: string[] = []
    const hook = site.upstream.on('/hook', async (request) => {
      heard.push(await request.text())
      return new Response()
    })
    const { id } = await site.weir.register({
      url: site.upstream.on('/told', () => Response.json({})),
      kind: 'poll',
    })
    const { page, faults, close } = await site.open(`/streams/${id}`)
    const panel = page.locator('#notify')
    await panel.getByText('This stream has no channel').waitFor()
    await site.weir.send('POST', '/api/channels', {
      kind: 'webhook',
      name: 'On call',
      config: { url: hook, secret: `whsec_${btoa('a secret of 24 bytes or so')}` },
      isDefault: true,
    })
    await page.reload()
    await panel.getByRole('link', { name: 'On call' }).waitFor()
    await panel.getByRole('textbox', { name: 'Message' }).fill('Look at the prices')
    await page.keyboard.press('Enter')
    await panel.getByText('delivered').waitFor()
    expect(heard.join()).toContain('Look at the prices')
    expect(await panel.getByRole('textbox', { name: 'Message' }).inputValue()).toBe('')
    expect(faults).toEqual([])
    await close()
  })

  test('without script a notification takes a page load, and errors keep the input', async () => {
    const { id } = await site.weir.register({
      url: site.upstream.on('/untold', () => Response.json({})),
      kind: 'poll',
      notify: ['Nobody'],
    })
    const { page, close } = await site.open(`/streams/${id}`, { javaScriptEnabled: false })
    await page.getByRole('textbox', { name: 'Message' }).fill('   ')
    await page.getByRole('button', { name: 'Notify' }).click()
    expect(await page.locator('#notify-result').textContent()).not.toBe('')
    expect(await page.getByRole('textbox', { name: 'Message' }).inputValue()).toBe('   ')
    await close()
  })

  test('an edit changes only its fields: hidden headers stay, one is removed, one is added', async () => {
    const seen: Headers[] = []
    const url = site.upstream.on('/edited', (request) => {
      seen.push(request.headers)
      return Response.json({})
    })
    const { id } = await site.weir.register({
      url,
      kind: 'poll',
      intervalMs: 60_000,
      name: 'Before',
      tags: ['a'],
      headers: { 'X-Kept': 'kept-secret', 'X-Gone': 'gone' },
    })
    const { page, close } = await site.open(`/streams/${id}`, { javaScriptEnabled: false })
    await page.getByRole('link', { name: 'Edit' }).click()
    expect(await page.content()).not.toContain('kept-secret')
    await page.getByLabel('Name').fill('After')
    await page.getByLabel('Interval (seconds)').fill('0.5')
    await page.getByLabel('Tags').fill('a, b')
    await page.locator('.header', { hasText: 'X-Gone' }).getByLabel('Remove').check()
    await page.getByLabel('Add headers').fill('X-New: new')
    await page.getByRole('button', { name: 'Save' }).click()
    expect(await page.textContent('h1')).toBe('After')
    expect(await site.weir.json(`/api/streams/${id}`)).toMatchObject({ intervalMs: 500, tags: ['a', 'b'] })
    await until('it asks with them', () => seen.some((headers) => headers.get('x-new') === 'new'))
    const last = seen.at(-1)
    expect([last?.get('x-kept'), last?.get('x-gone')]).toEqual(['kept-secret', null])
    await close()
  })

  test('an edit that moves a stream to another origin lists the dropped headers before saving', async () => {
    const other = startUpstream()
    const seen: Headers[] = []
    const url = other.on('/edited-away', (request) => {
      seen.push(request.headers)
      return Response.json({})
    })
    const { id } = await site.weir.register({
      url: site.upstream.on('/edited-away', () => Response.json({})),
      kind: 'poll',
      intervalMs: 500,
      headers: { 'X-Again': 'for-here', 'X-Lost': 'for-here' },
    })
    const { page, close } = await site.open(`/streams/${id}/edit`, { javaScriptEnabled: false })
    const again = page.locator('.header', { hasText: 'X-Again' }).getByLabel('Header X-Again')
    await page.getByLabel('URL', { exact: true }).fill(url)
    await again.fill('for-there')
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    expect(await page.getByRole('alert').locator('strong').textContent()).toBe('X-Lost')
    expect(await page.content()).not.toContain('for-there')
    expect(await site.weir.json(`/api/streams/${id}`)).not.toMatchObject({ url })
    // What isn't entered once more would be dropped, too, and that wasn't said.
    await page.getByRole('button', { name: 'Save and drop headers' }).click()
    expect(await page.getByRole('alert').locator('strong').textContent()).toBe('X-Again, X-Lost')
    await again.fill('for-there')
    await page.getByRole('button', { name: 'Save and drop headers' }).click()
    await until('the other origin is asked', () => seen.length > 0)
    for (const headers of seen)
      expect([headers.get('x-again'), headers.get('x-lost')]).toEqual(['for-there', null])
    expect(await site.weir.json(`/api/streams/${id}`)).toMatchObject({ url, headers: { 'X-Again': '•••' } })
    await close()
    await other.stop()
  })

  test('the form sets when a stream is dead, and empty fields restore the default', async () => {
    const { id } = await site.weir.register({
      url: site.upstream.on('/deadly', () => Response.json({})),
      kind: 'poll',
    })
    const { page, close } = await site.open(`/streams/${id}/edit`, { javaScriptEnabled: false })
    for (const [failures, seconds, stored] of [
      ['5', '90', { deadAfterFailures: 5, deadAfterMs: 90_000 }],
      ['1', '0', { deadAfterFailures: 1, deadAfterMs: 0 }],
      ['', '', { deadAfterFailures: null, deadAfterMs: null }],
    ] as const) {
      await page.getByLabel('Failures in a row').fill(failures)
      await page.getByLabel('Seconds since the first').fill(seconds)
      await page.getByRole('button', { name: 'Save' }).click()
      expect(await site.weir.json(`/api/streams/${id}`)).toMatchObject(stored)
      await page.goto(`${site.weir.url}/streams/${id}/edit`)
      expect(await page.getByLabel('Seconds since the first').inputValue()).toBe(seconds)
    }
    await close()
  })

  test('an error in an edit is shown next to its field, and nothing is saved', async () => {
    const { id } = await site.weir.register({
      url: site.upstream.on('/wrong', () => Response.json({})),
      kind: 'poll',
      name: 'As it was',
    })
    const { page, close } = await site.open(`/streams/${id}/edit`, { javaScriptEnabled: false })
    await page.getByLabel('Name').fill('Never')
    await page.getByLabel('Payload pointer').fill('data')
    await page.getByRole('button', { name: 'Save' }).click()
    const field = page.getByLabel('Payload pointer')
    expect(await field.getAttribute('aria-invalid')).toBe('true')
    expect(await page.locator('#error-payloadPointer').textContent()).toContain("isn't a JSON Pointer")
    expect(await page.getByLabel('Name').inputValue()).toBe('Never')
    expect(await site.weir.json(`/api/streams/${id}`)).toMatchObject({ name: 'As it was' })
    await close()
  })

  test('the page says in words what a break left, and the form declares that the upstream resumes', async () => {
    const feed = new Feed()
    const url = site.upstream.on('/breaks', () => feed.response({}, 'retry: 10\n\n'))
    const { id } = await site.weir.register({ url, kind: 'sse', name: 'Breaks' })
    const received = async (eventId: string, connections: number) => {
      await until('it connects', () => site.upstream.requests.get('/breaks')?.[connections - 1])
      await until('the feed has a reader', () => feed.readers > 0)
      feed.send(`id: ${eventId}\ndata: ${eventId}\n\n`)
      await site.weir.entry(id, 'the event is logged', ({ data }) => data === eventId)
    }
    await received('aa', 1)
    const { page, faults, close } = await site.open(`/streams/${id}`)
    const fact = page.locator('#status .facts > div', { hasText: 'Resumes' }).locator('dd')
    expect(await fact.count()).toBe(0)
    feed.end()
    await received('bb', 2)
    const sentence =
      /^Events may be missing from .* UTC: the connection broke, and the upstream didn't show that it sent all of them\.$/
    await page.locator('#log > li.gap .preview').getByText(sentence).waitFor()
    await fact.getByText('unknown, 1 break left a gap').waitFor()
    await page.locator('#log > li.gap summary').click()
    await page.locator('#log > li.gap .detail p').getByText(sentence).waitFor()
    await page.goto(`${site.weir.url}/streams/${id}/edit`)
    const box = page.getByLabel('Upstream resumes')
    expect(await box.isChecked()).toBe(false)
    expect(await page.content()).toContain('{switch:resumes}')
    await box.check()
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await page.locator('#status').waitFor()
    expect(await site.weir.json(`/api/streams/${id}`)).toMatchObject({ resumes: true })
    await received('cc', 3)
    await fact.getByText('declared by you, trusted once').waitFor()
    await page.goto(`${site.weir.url}/streams/${id}/edit`)
    expect(await box.isChecked()).toBe(true)
    await box.uncheck()
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await page.locator('#status').waitFor()
    expect(await site.weir.json(`/api/streams/${id}`)).toMatchObject({ resumes: false })
    expect(faults).toEqual([])
    await close()
  })

  test('only streams of events can be declared to resume, and an edit of others leaves it', async () => {
    const { id } = await site.weir.register({
      url: site.upstream.on('/polled', () => Response.json({})),
      kind: 'poll',
      resumes: true,
    })
    const { page, close } = await site.open(`/streams/${id}/edit`, { javaScriptEnabled: false })
    expect(await page.getByLabel('Upstream resumes').count()).toBe(0)
    expect(await page.content()).not.toContain('{switch:resumes}')
    await page.getByLabel('Name').fill('Polled')
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    expect(await site.weir.json(`/api/streams/${id}`)).toMatchObject({ name: 'Polled', resumes: true })
    await close()
  })

  test('a paused log doesn’t move, and counts new entries; resuming shows them all', async () => {
    const { id, send } = await followed('/paused')
    const { page, faults, close } = await site.open(`/streams/${id}`)
    send('price', 'first')
    await lines(page).getByText('first').waitFor()
    await page.getByRole('button', { name: 'Pause', exact: true }).focus()
    await page.keyboard.press('Enter')
    const before = await lines(page).allTextContents()
    send('price', 'second')
    send('price', 'third')
    await page.locator('#log-waiting').getByText('2 new entries').waitFor()
    expect(await lines(page).allTextContents()).toEqual(before)
    await page.keyboard.press('Enter')
    expect((await lines(page).allTextContents()).slice(0, 3)).toEqual(['third', 'second', 'first'])
    await page.locator('#log > li summary').first().click()
    await page.locator('#log > li').first().getByText('On the wire').waitFor()
    expect(faults).toEqual([])
    await close()
  })

  test('a filtered log has its own URL, and new entries obey the filter', async () => {
    const { id, send } = await followed('/filtered')
    send('price', 'apples 1')
    send('price', 'pears 1')
    await site.weir.entry(id, 'both are stored', ({ data }) => data === 'pears 1')
    const { page, faults, close } = await site.open(`/streams/${id}`)
    await page.getByLabel('Search').fill('APPLES')
    await page.locator('select[name=kind]').selectOption('Events')
    await page.getByRole('button', { name: 'Filter', exact: true }).click()
    await page.waitForURL(/kind=event&q=APPLES/)
    expect(await lines(page).allTextContents()).toEqual(['apples 1'])
    send('price', 'pears 2')
    send('price', 'apples 2')
    await lines(page).getByText('apples 2').waitFor()
    expect(await lines(page).allTextContents()).toEqual(['apples 2', 'apples 1'])
    expect((await site.weir.get(`/streams/${id}?kind=none`)).status).toBe(422)
    expect(faults).toEqual([])
    await close()
  })

  test('older entries are added without a hole; without script they are a page', async () => {
    const { id, send } = await followed('/older')
    for (let number = 1; number <= 120; number++) send('tick', `tick ${number}`)
    await site.weir.entry(id, 'all are stored', ({ data }) => data === 'tick 120')
    const { page, faults, close } = await site.open(`/streams/${id}?q=tick`)
    expect(await lines(page).count()).toBe(50)
    await page.getByRole('link', { name: 'Older entries' }).click()
    await until('there are more', async () => (await lines(page).count()) === 100)
    await page.getByRole('link', { name: 'Older entries' }).click()
    await until('there are all', async () => (await lines(page).count()) === 120)
    const numbers = (await lines(page).allTextContents()).map((text) => Number(text.slice('tick '.length)))
    expect(numbers).toEqual(Array.from({ length: 120 }, (_, index) => 120 - index))
    expect(faults).toEqual([])
    await close()
    const plain = await openPage(site.browser, { javaScriptEnabled: false })
    await plain.page.goto(`${site.weir.url}/streams/${id}?q=tick`)
    await plain.page.getByRole('link', { name: 'Older entries' }).click()
    expect((await lines(plain.page).allTextContents())[0]).toBe('tick 70')
    await plain.close()
  })

  test('a patch is shown path by path with old and new values, and nothing in it runs', async () => {
    const bodies = [
      { price: 1, note: 'old', rows: Array.from({ length: 30 }, (_, row) => row) },
      { price: 2, note: '<b>new</b>', rows: Array.from({ length: 30 }, (_, row) => row) },
    ]
    const url = site.upstream.on('/diff', (_request, hit) => Response.json(bodies[Math.min(hit, 2) - 1]))
    const { id } = await site.weir.register({ url, kind: 'poll', intervalMs: 500 })
    const { seq } = await site.weir.entry(id, 'a patch is stored', ({ kind }) => kind === 'patch')
    const { page, close } = await site.open(`/streams/${id}/entries/${seq}`, { javaScriptEnabled: false })
    const changed = page.locator('.operations li')
    expect(await changed.count()).toBe(2)
    const note = changed.filter({ hasText: '/note' })
    expect(await note.locator('del').textContent()).toBe('"old"')
    expect(await note.locator('ins').textContent()).toBe('"<b>new</b>"')
    expect(await page.textContent('.detail')).toContain('GET')
    await close()
  })

  test('nothing scrolls sideways on a phone', async () => {
    const { id } = await site.weir.register({
      url: site.upstream.on('/small', () => Response.json({})),
      kind: 'poll',
    })
    const { page, faults, close } = await openPage(site.browser, { viewport: PHONE })
    for (const path of ['', '/edit', '/entries/1']) {
      await site.weir.entry(id, 'an entry', () => true)
      await page.goto(`${site.weir.url}/streams/${id}${path}`)
      expect({ path, scroll: await sidewaysScroll(page) }).toEqual({ path, scroll: 0 })
    }
    expect(faults).toEqual([])
    await close()
  })
})
