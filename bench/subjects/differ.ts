import { compare } from 'fast-json-patch'
import { create } from 'jsondiffpatch'
import { format } from 'jsondiffpatch/formatters/jsonpatch'
import { createPatch } from 'rfc6902'
import { diff } from '../../src/core/documents/diff.ts'
import { canonicalJson, type Json, type PatchOperation } from '../../src/core/documents/document.ts'
import { patch } from '../../src/core/documents/patch.ts'
import { type Shape, versionsOf } from '../../test/core/changing-documents.ts'
import { mulberry32 } from '../../test/core/seeded.ts'
import { readLines } from '../lib/child.ts'

/**
 * Makes patches as one library does: `differ.ts NAME`. Each line of its input asks for the patches from version to
 * version of a document, made again and again for a while, and is answered by what they took.
 */

export interface Ask {
  shape: Shape
  bytes: number
  /** What tells members of arrays apart; it is named to the differ, or it is `id`, which all look for. */
  key: string
  isNamed: boolean
  /** Versions after the first. */
  steps: number
  seed: number
  /** The patches are made for so long, and at least once more. Milliseconds of CPU time. */
  forMs: number
}

/** The first patches count where they took this many times what was asked for; compiling is little of that. */
const SLOW = 10

export interface Told {
  /** Of the documents that the patches lead to, all together. */
  documentBytes: number
  /** Of the patches, and of what is sent where a document that is smaller stands in for its patch. */
  patchBytes: number
  sentBytes: number
  /** Patches that don't lead to their document. */
  wrong: number
  /** CPU time of one patch, in microseconds. */
  micros: number
}

type Make = (from: Json, to: Json) => PatchOperation[]

const DIFFERS: Record<string, (keys: readonly string[]) => Make> = {
  weir: (keys) => (from, to) => diff(from, to, keys),
  'fast-json-patch': () => (from, to) => compare(from as object, to as object),
  rfc6902: () => (from, to) => createPatch(from, to) as PatchOperation[],
  jsondiffpatch: (keys) => {
    const [key = 'id'] = keys
    const differ = create({
      objectHash: (member, at) => (member as Record<string, string>)?.[key] ?? `#${at}`,
    })
    return (from, to) => {
      const delta = differ.diff(from, to)
      return delta === undefined ? [] : (format(delta) as PatchOperation[])
    }
  },
}

const [name = ''] = process.argv.slice(2)
await readLines(Bun.stdin.stream(), (line) => console.log(JSON.stringify(answer(JSON.parse(line)))))

function answer(ask: Ask): Told {
  const make = DIFFERS[name]?.(ask.isNamed ? [ask.key] : [])
  if (make === undefined) throw new Error(`no such differ: ${name}`)
  const versions = versionsOf(ask.shape, ask.bytes, ask.steps + 1, mulberry32(ask.seed), ask.key)
  const told: Told = { documentBytes: 0, patchBytes: 0, sentBytes: 0, wrong: 0, micros: 0 }
  const pairs = versions.slice(1).map((to, at): [Json, Json] => [versions[at] as Json, to])
  const begun = process.cpuUsage()
  const patches = pairs.map(([from, to]) => make(from, to))
  const { user, system } = process.cpuUsage(begun)
  for (const [at, [from, to]] of pairs.entries()) {
    const operations = patches[at] as PatchOperation[]
    const documentBytes = Buffer.byteLength(JSON.stringify(to))
    const patchBytes = Buffer.byteLength(JSON.stringify(operations))
    told.documentBytes += documentBytes
    told.patchBytes += patchBytes
    told.sentBytes += Math.min(patchBytes, documentBytes)
    if (canonicalJson(patch(from, operations)) !== canonicalJson(to)) told.wrong++
  }
  const first = user + system
  // Who took longer than asked for isn't asked again: that may be minutes.
  told.micros = first > ask.forMs * 1000 * SLOW ? first / pairs.length : time(make, pairs, ask.forMs)
  return told
}

function time(make: Make, pairs: readonly [Json, Json][], forMs: number): number {
  const begun = process.cpuUsage()
  let made = 0
  let micros = 0
  while (made === 0 || micros < forMs * 1000) {
    for (const [from, to] of pairs) make(from, to)
    made += pairs.length
    const { user, system } = process.cpuUsage(begun)
    micros = user + system
  }
  return micros / made
}
