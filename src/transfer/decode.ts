import { Problem } from '../errors.ts'

/** Byte order marks of encodings other than UTF-8. @see https://encoding.spec.whatwg.org/#bom-sniff */
const MARKED: readonly [bytes: readonly number[], encoding: string][] = [
  [[0xff, 0xfe], 'utf-16le'],
  [[0xfe, 0xff], 'utf-16be'],
]

/**
 * The text of a file: UTF-8, or UTF-16 with a byte order mark, as Excel saves "Unicode text".
 * @throws Problem `bad_request` for any other encoding: guessed wrong, names would be stored broken
 */
export function decodeFile(bytes: Uint8Array): string {
  const encoding = MARKED.find(([mark]) => mark.every((byte, index) => bytes[index] === byte))?.[1] ?? 'utf-8'
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes)
  } catch {
    const detail =
      'The file is encoded neither in UTF-8 nor in UTF-16; it may be Windows-1252. Save it as "CSV UTF-8".'
    throw new Problem('bad_request', detail)
  }
}
