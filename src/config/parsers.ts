import { resolve } from 'node:path'
import ipaddr from 'ipaddr.js'

/** Absolute `http:` or `https:` URLs, which may hold credentials. */
export interface UpstreamProxy {
  readonly http?: string
  readonly https?: string
}

export function wholeNumber(min: number, max: number) {
  return (text: string): number => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < min || value > max) {
      throw new Error(`expected a whole number from ${min} to ${max}, got "${text}"`)
    }
    return value
  }
}

export function share(text: string): number {
  const value = Number(text)
  if (/^\d*\.?\d+$/.test(text) && value <= 1) return value
  throw new Error(`expected a number from 0 to 1, got "${text}"`)
}

/** The error leaves out the text, which holds secrets. @see https://www.w3.org/TR/baggage/ */
export function headerList(text: string): Record<string, string> {
  const pairs = text.split(',').map((pair) => /^\s*([!#$%&'*+.^_`|~\w-]+)\s*=\s*(.*?)\s*$/.exec(pair))
  try {
    return Object.fromEntries(pairs.map((match) => [match?.[1] as string, decoded(match?.[2])]))
  } catch {
    throw new Error('expected headers such as authorization=Bearer%20secret')
  }
}

function decoded(value: string | undefined): string {
  const text = decodeURIComponent(value as string)
  if (value === undefined || /[\r\n\0]/.test(text)) throw new Error('not a header value')
  return text
}

export function keyword<T extends string>(...choices: T[]) {
  return (text: string): T => {
    if (choices.includes(text as T)) return text as T
    throw new Error(`expected ${choices.join(' or ')}, got "${text}"`)
  }
}

export function asIs(text: string): string {
  return text
}

export function directory(text: string): string {
  return resolve(text)
}

export function url(...protocols: string[]) {
  return (text: string): string => {
    if (!URL.canParse(text) || !protocols.includes(new URL(text).protocol)) {
      throw new Error(`expected a URL starting with ${protocols.join('// or ')}//`)
    }
    return text
  }
}

/** The scheme defaults to http, as in other tools. The error leaves out the text, which may hold a password. */
export function proxyUrl(text: string): string {
  const full = text.includes('://') ? text : `http://${text}`
  const { protocol, hostname, pathname } = URL.parse(full) ?? { protocol: '', hostname: '', pathname: '' }
  if ((protocol === 'http:' || protocol === 'https:') && hostname !== '' && pathname === '/') return full
  throw new Error('expected an HTTP proxy such as http://proxy.internal:3128')
}

/** One proxy for both schemes; `none` for a direct connection. */
export function upstreamProxy(text: string): UpstreamProxy {
  return text === 'none' ? {} : { http: proxyUrl(text), https: proxyUrl(text) }
}

/** Some programs separate entries by spaces. An entry that isn't a host matches nothing, and doesn't prevent a start. */
export function noProxy(text: string): string[] {
  return text.split(/[\s,]+/).filter((entry) => entry !== '')
}

export function origins(text: string): string[] {
  return text.split(',').map((each) => {
    const origin = each.trim()
    if (URL.canParse(origin) && new URL(origin).origin === origin) return origin
    throw new Error(`expected origins such as https://app.example.com, got "${origin}"`)
  })
}

export function endpoint(text: string): string {
  const { username, password, search, hash } = new URL(url('http:', 'https:')(text))
  if (username || password || search || hash) {
    throw new Error(
      'expected a URL without credentials, query or fragment; credentials have their own settings',
    )
  }
  return text.replace(/\/+$/, '')
}

/** S3's naming rules, including the capitals and underscores of older buckets. */
export function bucket(text: string): string {
  if (/^[a-z\d][\w.-]{1,254}$/i.test(text)) return text
  throw new Error(`expected a bucket name, got "${text}"`)
}

export function prefix(text: string): string {
  const path = text.replace(/^\/+|\/+$/g, '')
  const isPath = /^[\w.=-]+(\/[\w.=-]+)*$/.test(path)
  if (isPath && !path.split('/').some((part) => /^\.+$/.test(part))) return path
  throw new Error(`expected letters, digits, . _ = - and single slashes, got "${text}"`)
}

export function hosts(text: string): string[] {
  const entries = text.split(',').map((each) => each.trim())
  for (const entry of entries) {
    if (ipaddr.isValidCIDR(entry) || ipaddr.IPv6.isValid(entry)) continue
    const isHost = /^[^\s/?#@\\]+$/.test(entry) && URL.canParse(`http://${entry}`)
    if (!isHost) throw new Error(`expected hosts such as hooks.internal or 10.0.0.0/8, got "${entry}"`)
  }
  return entries
}

export function checkHosts(text: string): string[] {
  const list = text.split(',').map((each) => each.trim())
  const bad = list.find((each) => !/^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?$/i.test(each))
  if (bad !== undefined) throw new Error(`expected hosts such as dns.google or 10.0.0.1:443, got "${bad}"`)
  return list
}

export function addresses(text: string): string[] {
  const list = text.split(',').map((each) => each.trim())
  const bad = list.find((each) => !ipaddr.isValidCIDR(each) && !isAddress(each))
  if (bad !== undefined) throw new Error(`expected addresses such as 127.0.0.1 or 10.0.0.0/8, got "${bad}"`)
  return list
}

/** IPv4 only in its usual form: `10.1` and `017.0.0.1` aren't the addresses they appear to be. */
function isAddress(text: string): boolean {
  return ipaddr.IPv4.isValidFourPartDecimal(text) || ipaddr.IPv6.isValid(text)
}

export function secret(text: string): string {
  if (text.length < 16) throw new Error('expected at least 16 characters')
  return text
}
