import { expect, test } from 'bun:test'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { accountFor } from '../../src/storage/server/account.ts'

const ROOT = join(import.meta.dir, '../..')
const NOBODY = 65_534
/** As OpenShift assigns them: no line of /etc/passwd has it. */
const NAMELESS = 1_000_660_000
/** Opens, asks, says who the server runs as, and closes. */
const PROGRAM = `
  const { openStorage } = await import(${JSON.stringify(join(ROOT, 'src/storage/open.ts'))})
  const { readFileSync } = await import('node:fs')
  const storage = await openStorage({ databaseUrl: undefined, dataDir: process.argv[1] })
  const pid = readFileSync(process.argv[1] + '/database/postmaster.pid', 'utf8').split('\\n')[0]
  const uid = /^Uid:\\s+(\\d+)/m.exec(readFileSync('/proc/' + pid + '/status', 'utf8'))[1]
  const { rows } = await storage.pool.query('SELECT count(*)::int AS streams FROM weir.streams')
  await storage.close()
  console.log(JSON.stringify({ uid: Number(uid), streams: rows[0].streams }))`

/** Only root can be somebody else. */
const asRoot = process.getuid?.() === 0 ? test : () => {}

interface As {
  gid?: number
  HOME?: string
  PATH?: string
}

async function openAs(uid: number, dataDir: string, bun: string, { gid = uid, ...env }: As = {}) {
  const child = Bun.spawn(
    ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', bun, '-e', PROGRAM, dataDir],
    { cwd: tmpdir(), env: { PATH: process.env.PATH, ...env }, stdout: 'pipe', stderr: 'pipe' },
  )
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  return { code: await child.exited, out: out === '' ? undefined : JSON.parse(out), err }
}

asRoot(
  'an ordinary user, and root, each make and reopen a database that only they and its server get to',
  async () => {
    const home = mkdtempSync(join(tmpdir(), 'weir-account-'))
    try {
      chmodSync(home, 0o711)
      // The one that runs this may lie where only root gets.
      const bun = join(home, 'bun')
      copyFileSync(process.execPath, bun)
      chmodSync(bun, 0o755)
      for (const uid of [NOBODY, 0]) {
        const dataDir = mkdtempSync(join(home, `as-${uid}-`))
        chownSync(dataDir, uid, uid)
        for (const _ of ['first', 'next']) {
          expect(await openAs(uid, dataDir, bun, { HOME: tmpdir() })).toEqual({
            code: 0,
            out: { uid: NOBODY, streams: 0 },
            err: '',
          })
        }
        expect([statSync(dataDir).uid, statSync(dataDir).mode & 0o777]).toEqual([uid, 0o700])
        expect(statSync(join(dataDir, 'postgres.password')).uid).toBe(uid)
      }
    } finally {
      rmSync(home, { recursive: true, force: true })
    }
  },
  120_000,
)

asRoot('root leaves the server to the owner of its directory, or of the one around it, or to nobody', () => {
  const home = mkdtempSync(join(tmpdir(), 'weir-account-'))
  try {
    const daemon = Number(/^daemon:[^:]*:(\d+)/m.exec(readFileSync('/etc/passwd', 'utf8'))?.[1])
    expect(accountFor([join(home, 'missing'), home])).toEqual({ uid: NOBODY, gid: NOBODY })
    chownSync(home, daemon, daemon)
    expect(accountFor([join(home, 'missing'), home])).toEqual({ uid: daemon, gid: daemon })
    // Without a name no database can be made.
    chownSync(home, 54_321, 54_321)
    expect(accountFor([home])).toEqual({ uid: NOBODY, gid: NOBODY })
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
})

asRoot(
  "a user without a name is told what to do where user namespaces aren't allowed",
  async () => {
    const home = mkdtempSync(join(tmpdir(), 'weir-account-'))
    try {
      chmodSync(home, 0o711)
      const bun = join(home, 'bun')
      copyFileSync(process.execPath, bun)
      chmodSync(bun, 0o755)
      const dataDir = mkdtempSync(join(home, 'data-'))
      chownSync(dataDir, 54_321, 54_321)
      const [setpriv, own] = [Bun.which('setpriv') as string, join(home, 'programs')]
      mkdirSync(own)
      symlinkSync(setpriv, join(own, 'setpriv'))
      expect((await openAs(54_321, dataDir, bun, { PATH: own })).err).toContain('has no name in /etc/passwd')
      expect(existsSync(join(dataDir, 'database'))).toBe(false)
    } finally {
      rmSync(home, { recursive: true, force: true })
    }
  },
  120_000,
)

asRoot(
  'a user without a name or home, in a directory of its group, makes and reopens a database',
  async () => {
    const home = mkdtempSync(join(tmpdir(), 'weir-account-'))
    try {
      chmodSync(home, 0o711)
      const bun = join(home, 'bun')
      copyFileSync(process.execPath, bun)
      chmodSync(bun, 0o755)
      const volume = mkdtempSync(join(home, 'volume-'))
      chmodSync(volume, 0o770)
      for (const _ of ['first', 'next']) {
        expect(await openAs(NAMELESS, join(volume, 'data'), bun, { gid: 0 })).toEqual({
          code: 0,
          out: { uid: NAMELESS, streams: 0 },
          err: '',
        })
      }
      expect(statSync(join(volume, 'data/database')).uid).toBe(NAMELESS)
    } finally {
      rmSync(home, { recursive: true, force: true })
    }
  },
  120_000,
)
