import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { Browser } from 'playwright-core'
import { openBrowser, openPage, PHONE, sidewaysScroll } from '../support/browser.ts'
import { describeInBrowser } from '../support/in-browser.ts'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const SECRET = 'a-key-nobody-may-see'
/** How the page is painted. */
const BACKGROUND = { dark: 'rgb(11, 15, 18)', light: 'rgb(245, 248, 248)' }

interface Setting {
  key: string
  value: string | null
  isGiven: boolean
  isSecret: boolean
}

describeInBrowser('in a browser', () => {
  let upstream: Upstream
  let weir: TestWeir
  let browser: Browser

  beforeAll(async () => {
    upstream = startUpstream()
    // Archiving is set up but never used: no day of this Weir is over.
    weir = await startTestWeir({
      ...{ RETENTION_DAYS: '12', MAX_BODY_BYTES: '2000000', PUBLIC_URL: `http://me:${SECRET}@weir.test/` },
      // People elsewhere reach this one, so that its operator has to name what it may.
      ALLOW_HOSTS: '127.0.0.1',
      ...{
        S3_ENDPOINT: upstream.url,
        S3_BUCKET: 'kept',
        S3_ACCESS_KEY_ID: SECRET,
        S3_SECRET_ACCESS_KEY: SECRET,
      },
    })
    browser = await openBrowser()
  })

  afterAll(async () => {
    await browser.close()
    await weir.close()
    await upstream.stop()
  })

  test('each setting has a description and whether it was set; secrets aren’t shown', async () => {
    const text = await (await weir.get('/api/settings')).text()
    const { settings, role, processes } = JSON.parse(text) as {
      settings: Setting[]
      role: string
      processes: { isThis: boolean }[]
    }
    const of = (key: string) => settings.find((setting) => setting.key === key)
    expect(of('RETENTION_DAYS')).toMatchObject({ value: '12', isGiven: true, isSecret: false })
    expect(of('SILENCE_MS')).toMatchObject({ value: '45000', isGiven: false })
    expect(of('WEIR_TOKEN')).toMatchObject({ value: null, isGiven: false, isSecret: true })
    expect(of('S3_SECRET_ACCESS_KEY')).toMatchObject({ value: null, isGiven: true, isSecret: true })
    expect(of('PUBLIC_URL')?.value).toBe('http://…@weir.test/')
    expect([role, processes.some(({ isThis }) => isThis)]).toEqual(['all', true])
    const page = await (await weir.get('/settings')).text()
    expect(page).toContain(`${upstream.url}/kept/weir`)
    for (const told of [text, page]) expect(told).not.toContain(SECRET)
    for (const { key } of settings) expect(page).toContain(key)
  })

  test('a line of the environment can be copied', async () => {
    const { page, faults, close } = await openPage(browser, { viewport: PHONE })
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    await page.goto(`${weir.url}/settings#MAX_BODY_BYTES`)
    const line = page.locator('#MAX_BODY_BYTES')
    expect(await line.innerText()).toContain('2.0 MB')
    await line.getByRole('button', { name: 'Copy MAX_BODY_BYTES' }).click()
    await line.getByText('Copied').waitFor()
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe('MAX_BODY_BYTES=2000000')
    expect(await sidewaysScroll(page)).toBe(0)
    expect(faults).toEqual([])
    await close()
  })

  test.each([true, false])(
    'the theme is stored, and applies to every page (with script: %p)',
    async (script) => {
      const { page, faults, close } = await openPage(browser, {
        colorScheme: 'dark',
        javaScriptEnabled: script,
      })
      const color = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)
      await page.goto(`${weir.url}/settings`)
      expect(await color()).toBe(BACKGROUND.dark)
      await page.getByRole('radio', { name: 'Light' }).check()
      if (!script) await page.getByRole('button', { name: 'Save' }).click()
      await page.getByText('Saved.').waitFor()
      expect(await color()).toBe(BACKGROUND.light)
      for (const path of ['/', '/nothing', '/settings']) {
        const answer = await page.goto(weir.url + path)
        // Before any script and any style sheet.
        const start = (await answer?.text())?.slice(0, 400)
        expect(start).toContain('<html lang="en" data-theme="light">')
        expect(start).toContain('<meta name="color-scheme" content="light"/>')
        expect(await color()).toBe(BACKGROUND.light)
      }
      expect(await page.getByRole('radio', { name: 'Light' }).isChecked()).toBe(true)
      await page.getByRole('radio', { name: 'System' }).check()
      if (!script) await page.getByRole('button', { name: 'Save' }).click()
      await until('the system decides again', async () => (await color()) === BACKGROUND.dark)
      expect(faults.filter((fault) => !fault.includes('404'))).toEqual([])
      await close()
    },
  )

  test('times can be in UTC, and lists have the chosen number of rows', async () => {
    const url = upstream.on('/rows', (_request, hit) => Response.json({ hit }))
    const { id } = await weir.register({ url, kind: 'poll', intervalMs: 600_000 })
    const line = { url, start: false }
    await weir.send(
      'POST',
      '/api/streams/import',
      Array.from({ length: 30 }, (_, row) => ({
        ...line,
        kind: 'poll',
        name: `Row ${row}`,
        url: `${url}?${row}`,
      })),
    )
    const { at, seq } = await weir.entry(id, 'it was polled', ({ kind }) => kind === 'snapshot')
    await weir.summed(id, seq)
    const { page, faults, close } = await openPage(browser, { timezoneId: 'Asia/Kolkata', locale: 'en-GB' })
    const shown = async () => {
      await page.goto(`${weir.url}/streams/${id}/document`)
      return until('its script has run', async () => {
        const zone = await page.locator('[data-zone-name]').innerText()
        const time = await page.locator('.versions time').innerText()
        return (await page.locator('.versions time').getAttribute('title')) !== null && { zone, time }
      })
    }
    const text = (ms: number) => new Date(ms).toISOString().slice(0, 23).replace('T', ' ')
    expect(await shown()).toEqual({ zone: 'Asia/Calcutta', time: text(Date.parse(at) + 5.5 * 3_600_000) })
    await page.goto(`${weir.url}/settings`)
    await page.getByRole('radio', { name: 'UTC' }).check()
    await page.getByText('Saved.').waitFor()
    expect(await shown()).toEqual({ zone: 'UTC', time: text(Date.parse(at)) })
    const rows = async () => {
      await page.goto(`${weir.url}/streams`)
      return page.locator('main tbody tr').count()
    }
    expect(await rows()).toBe(31)
    await page.goto(`${weir.url}/settings`)
    const kept = page.waitForResponse('**/settings/preferences')
    await page.getByRole('radio', { name: '25' }).check()
    await kept
    expect(await rows()).toBe(25)
    expect(faults).toEqual([])
    await close()
  })

  test('preferences in a forged cookie aren’t trusted', async () => {
    const kept = 'weir-preferences=theme=%22%3E%3Cscript%3E&zone=mars&rows=1000000'
    const page = await (await fetch(`${weir.url}/settings`, { headers: { Cookie: kept } })).text()
    expect(page).toStartWith('<!doctype html><html lang="en"><head>')
    const answer = await fetch(`${weir.url}/settings/preferences`, {
      ...{
        method: 'POST',
        redirect: 'manual',
        body: new URLSearchParams({ theme: 'x; Path=/', rows: '50' }),
      },
    })
    expect(answer.headers.get('set-cookie')).toStartWith(
      'weir-preferences=theme=system&zone=reader&rows=50; ',
    )
  })
})
