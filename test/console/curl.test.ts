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

  test('a form is copied as a command that does the same, whatever is typed', async () => {
    const { page, close } = await openPage(browser)
    await page.goto(`${everything.weir.url}/rules`)
    const form = page.getByRole('form', { name: 'Add a rule' })
    const name = `It's "odd" $(echo no) \`no\` {name}`
    await form.getByLabel('Name').fill(name)
    await form.getByLabel('Kind').selectOption('errorRate')
    await form.getByLabel('Parameters, as JSON').fill('{"above": 0.25}')
    const answer = await run(page, 'add the rule')
    expect(JSON.parse(answer)).toMatchObject({ name, kind: 'errorRate', params: { above: 0.25 } })
    await close()
  })

  test('a button is copied as a command that does the same', async () => {
    const { page, close } = await openPage(browser)
    await page.goto(`${everything.weir.url}/silences`)
    await run(page, 'end The shop moves')
    await until('it is over', async () => {
      const { items } = await everything.weir.json<{ items: unknown[] }>('/api/silences')
      return items.length === 0
    })
    await close()
  })
})
