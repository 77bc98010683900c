import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import type { Finding } from '../core/findings.ts'
import { isLocked, tryLock } from '../storage/directory-lock.ts'
import { explainDisk } from '../storage/errors/disk-error.ts'
import { LOCK_FILE } from '../storage/private-directory.ts'

/** Size of a page of the Postgres write-ahead log, in bytes, and how many pages are written and synced. */
const PAGE_BYTES = 8_192
const SYNCS = 20
const WRITES = 100
/** Every commit waits for at least one sync: slower than this, in milliseconds, recording falls behind. */
const SLOW_SYNC_MS = 50
/** The write-ahead log alone takes 256 MiB before it is reused. */
const MIN_FREE_BYTES = 268_435_456
const LOW_FREE_BYTES = 1_073_741_824

/** Checks the directory of the embedded database: whether it can be written, synced and locked, and its free space. */
export function checkDirectory(dataDir: string): Finding[] {
  const place = nearest(dataDir)
  try {
    const directory = mkdtempSync(join(place, '.doctor-'))
    try {
      return [
        checkWrite(dataDir, place, directory),
        checkSync(directory),
        checkLock(dataDir, directory),
        checkSpace(place),
      ]
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  } catch (error) {
    // Names the directory instead of the file that couldn't be created.
    const { message } = explainDisk(Object.assign(error as Error, { path: place }), dataDir) as Error
    return [{ check: 'data directory', status: 'error', detail: message }]
  }
}

/** The directory itself, or the one that it will be created in. */
function nearest(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearest(dirname(path))
}

function checkWrite(dataDir: string, place: string, directory: string): Finding {
  const page = Buffer.alloc(PAGE_BYTES)
  const file = openSync(join(directory, 'write'), 'w', 0o600)
  const startedAt = performance.now()
  for (let count = 0; count < WRITES; count++) writeSync(file, page)
  const writeMs = rounded((performance.now() - startedAt) / WRITES)
  closeSync(file)
  const found =
    place === dataDir ? `${dataDir} is writable.` : `${dataDir} will be created at the first start.`
  const detail = `${found} Writing a page takes ${writeMs} ms.`
  return { check: 'data directory', status: 'ok', detail, measured: { writeMs } }
}

function checkSync(directory: string): Finding {
  const file = openSync(join(directory, 'sync'), 'w', 0o600)
  try {
    const page = Buffer.alloc(PAGE_BYTES)
    const times = Array.from({ length: SYNCS }, () => {
      writeSync(file, page)
      const startedAt = performance.now()
      fsyncSync(file)
      return performance.now() - startedAt
    }).sort((a, b) => a - b)
    const medianMs = rounded(times[SYNCS / 2] as number)
    const longestMs = rounded(times.at(-1) as number)
    const measured = { medianMs, longestMs }
    const detail = `A sync to disk takes ${medianMs} ms, ${longestMs} ms at most.`
    if (medianMs <= SLOW_SYNC_MS) return { check: 'disk sync', status: 'ok', detail, measured }
    const advice = `${detail} Every commit waits for a sync; use a faster disk if recording falls behind.`
    return { check: 'disk sync', status: 'warning', detail: advice, measured }
  } finally {
    closeSync(file)
  }
}

function checkLock(dataDir: string, directory: string): Finding {
  const path = join(directory, 'lock')
  const startedAt = performance.now()
  const release = tryLock(path)
  const lockMs = rounded(performance.now() - startedAt)
  const measured = { lockMs }
  try {
    if (release === undefined || !isLocked(path)) {
      const detail = `The file system of ${dataDir} doesn't support file locks, so two Weirs could use it. Use a local disk.`
      return { check: 'lock', status: 'error', detail, measured }
    }
  } finally {
    release?.()
  }
  const isUsed = isLocked(join(dataDir, LOCK_FILE))
  const found = isUsed ? 'A running Weir has the lock.' : 'Locks work, and no Weir is running here.'
  return { check: 'lock', status: 'ok', detail: `${found} Locking takes ${lockMs} ms.`, measured }
}

function checkSpace(place: string): Finding {
  const { bavail, bsize } = statfsSync(place)
  const freeBytes = bavail * bsize
  const status = freeBytes < MIN_FREE_BYTES ? 'error' : freeBytes < LOW_FREE_BYTES ? 'warning' : 'ok'
  const free = `${Math.floor(freeBytes / 1_048_576)} MiB are free.`
  const detail =
    status === 'ok' ? free : `${free} Free some space, or reduce retention with the RETENTION_ settings.`
  return { check: 'free space', status, detail, measured: { freeBytes } }
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100
}
