import { expect, test } from 'bun:test'
import { publicUrl, withoutHidden } from '../../src/core/public-url.ts'

test.each([
  [
    'https://api.test/prices?region=eu&page=2&day=2026-01-31&lat=-12.5',
    'https://api.test/prices?region=eu&page=2&day=2026-01-31&lat=-12.5',
  ],
  ['https://api.test/v2/exchange-rates/latest', 'https://api.test/v2/exchange-rates/latest'],
  ['https://api.test:8443/', 'https://api.test:8443/'],
  ['https://api.test/?api_key=abc', 'https://api.test/?api_key=•••'],
  [
    'https://api.test/?appid=eu&APIKEY=x&X-Amz-Signature=1&id_token=a&code=b',
    'https://api.test/?appid=•••&APIKEY=•••&X-Amz-Signature=•••&id_token=•••&code=•••',
  ],
  ['https://api.test/?q=8f14e45fceea167a5a36dedd4bea2543', 'https://api.test/?q=•••'],
  ['https://api.test/?q=sk_live_51Habc', 'https://api.test/?q=•••'],
  ['https://api.test/?q=someone%40example.com', 'https://api.test/?q=•••'],
  ['https://api.test/?8f14e45fceea167a', 'https://api.test/?•••'],
  ['https://api.test/?8f14e45fceea167a5a36=1', 'https://api.test/?•••=1'],
  ['https://api.test/?key=', 'https://api.test/?key='],
  [
    'https://api.test/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXXa',
    'https://api.test/services/T00000000/B00000000/•••',
  ],
  ['https://api.test/u/0190a0a0-0000-7000-8000-000000000000/feed', 'https://api.test/u/•••/feed'],
  ['https://api.test/bot123456:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/getMe', 'https://api.test/•••/getMe'],
  ['https://api.test/%38f14e45fceea167a5a36dedd/x', 'https://api.test/•••/x'],
  ['https://api.test/#access_token=abc', 'https://api.test/'],
  ['https://user:password@api.test/', 'https://api.test/'],
])('%s is published as %s', (url, shown) => {
  expect(publicUrl(url).url).toBe(shown)
})

test('what is hidden in a URL is hidden in a name as well', () => {
  const { hidden } = publicUrl('https://api.test/x?key=s3cr3t%2Fvalue')
  expect(withoutHidden('api.test/x?key=s3cr3t%2Fvalue, or s3cr3t/value', hidden)).toBe(
    'api.test/x?key=•••, or •••',
  )
})
