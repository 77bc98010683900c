import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Browser, Page } from 'playwright-core'
import { openBrowser, openPage, WITHOUT_BROWSER } from '../support/browser.ts'
import { until } from '../support/until.ts'
import { type Everything, startEverything } from './everything.ts'

// What is copied is run: where there is no curl, there is nothing to run it by.
describe.skipIf(WITHOUT_BROWSER || Bun.which('curl') === null)('in a browser', () => {
  let browser: Browser
  let everything: Everything

  beforeAll(async () => {
    ;[browser, everything] = await Promise.all([openBrowser(), startEverything()])
  })

  afterAll(async () => {
    await browser.close()
    await everything.close()
  })

  /** Copies a button's command and runs it in a shell. */
  async function run(page: Page, name: string): Promise<string> {
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    await page.getByRole('button', { name: `curl: ${name}` }).click()
    await page
      .getByRole('button', { name: `curl: ${name}` })
      .getByText('Copied')
      .waitFor()
    const command = await page.evaluate(() => navigator.clipboard.readText())
    expect(command).toContain('$WEIR_TOKEN')
    const shell = Bun.spawn(['sh', '-c', command], { stdout: 'pipe', stderr: 'ignore' })
    return new Response(shell.stdout).text()
  }

  test('a form is copied as an equivalent command, whatever is entered', async () => {
    const { page, close } = await openPage(browser)
    await page.goto(`${everything.weir.url}/rules`)
    const form = page.getByRole('form', { name: 'Add rule' })
    const name = `It's "odd" $(echo no) \`no\` {name}`
    await form.getByLabel('Name').fill(name)
    await form.getByLabel('Kind').selectOption('errorRate')
    await form.getByLabel('Parameters (JSON)').fill('{"above": 0.25}')
    const answer = await run(page, 'add the rule')
    expect(JSON.parse(answer)).toMatchObject({ name, kind: 'errorRate', params: { above: 0.25 } })
    await close()
  })

  test('a button is copied as an equivalent command', async () => {
    const { page, close } = await openPage(browser)
    await page.goto(`${everything.weir.url}/silences`)
    await run(page, 'end The shop moves')
    await until('it is over', async () => {
      const { items } = await everything.weir.json<{ items: unknown[] }>('/api/silences')
      return items.length === 0
    })
    await close()
  })

  test('copied commands register, change, tag and remove a stream', async () => {
    const { weir, upstream, polled } = everything
    const { page, close } = await openPage(browser)
    const url = `${upstream.on('/odd', () => Response.json({}))}?q=it's $(echo) \`odd\`!`
    await page.goto(`${weir.url}/streams`)
    await page.getByLabel('API URL').fill(url)
    await page.getByLabel('Interval (seconds)').fill('7.5')
    await page.getByRole('textbox', { name: 'Tags' }).fill('new, odd')
    const { id, ...added } = JSON.parse(await run(page, 'register and start this API'))
    expect(added).toMatchObject({
      url: new URL(url).href,
      kind: 'poll',
      intervalMs: 7_500,
      tags: ['new', 'odd'],
    })
    await page.goto(`${weir.url}/streams/${id}/edit`)
    await page.getByLabel('Tags').fill('')
    await page.getByLabel('Days').fill('2')
    const changed = JSON.parse(await run(page, 'save these changes'))
    expect(changed).toMatchObject({ tags: [], retention: { maxAgeMs: 172_800_000 }, intervalMs: 7_500 })
    expect(await page.evaluate(() => navigator.clipboard.readText())).not.toContain('"url"')
    await page.goto(`${weir.url}/streams`)
    await page.locator(`#choose-${polled}`).check()
    await page.getByLabel('Tag to add or remove').fill("O'Neill")
    await page.locator('.curls summary').click()
    expect(JSON.parse(await run(page, 'selected streams: tag'))).toMatchObject({ total: 1, changed: 1 })
    expect((await weir.json<{ tags: string[] }>(`/api/streams/${polled}`)).tags).toContain("O'Neill")
    await page.getByLabel(/^All .* matching$/).check()
    expect(JSON.parse(await run(page, 'selected streams: stop')).total).toBeGreaterThan(2)
    await page.goto(`${weir.url}/streams/${id}`)
    await run(page, `delete ${added.name}`)
    expect((await weir.get(`/api/streams/${id}`)).status).toBe(404)
    await close()
  })

  test('copied commands create channels, silences, imports and services', async () => {
    const { weir, upstream } = everything
    const { page, close } = await openPage(browser)
    await page.goto(`${weir.url}/channels?kind=ntfy`)
    await page.getByLabel('Name').fill('Phone')
    await page.getByLabel(/URL/).first().fill(`${upstream.url}/ntfy`)
    expect(JSON.parse(await run(page, 'create this channel'))).toMatchObject({ name: 'Phone', kind: 'ntfy' })
    await page.goto(`${weir.url}/silences`)
    await page.getByLabel('Reason').fill('Nights')
    await page.getByLabel('Start (HH:MM)').fill('22:00')
    await page.getByLabel('Time zone').fill('Europe/Berlin')
    await page.getByLabel('mon').check()
    expect(JSON.parse(await run(page, 'add this silence'))).toMatchObject({
      endsAt: null,
      schedule: { timeZone: 'Europe/Berlin', days: ['mon'], from: '22:00', durationMinutes: 60 },
    })
    await page.getByLabel('Start (HH:MM)').fill('')
    expect(JSON.parse(await run(page, 'add this silence'))).toMatchObject({ schedule: null })
    await page.goto(`${weir.url}/streams/import`)
    await page.getByText('Or paste text').click()
    await page.getByLabel('File contents').fill(`[{"url":"${upstream.url}/json?x='1'","kind":"poll"}]`)
    await page.getByLabel('Tag', { exact: true }).fill('from & file')
    expect(JSON.parse(await run(page, 'import this file')).totals).toMatchObject({ created: 1 })
    expect((await weir.json<{ items: unknown[] }>('/api/streams?tag=from%20%26%20file')).items.length).toBe(1)
    await page.goto(`${weir.url}/topology`)
    await page.getByLabel('Color', { exact: true }).fill('#00ffcc')
    expect(JSON.parse(await run(page, 'set this color'))).toMatchObject({
      message: 'UI updated to #00ffcc',
    })
    await close()
  })
})
