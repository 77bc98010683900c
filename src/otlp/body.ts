import { gunzipSync } from 'node:zlib'
import { Problem } from '../errors.ts'

/** Size of a decompressed request. */
export const MAX_PLAIN_BYTES = 16_777_216

/**
 * Decompresses a body.
 * @throws Problem `body_too_large`, `bad_request` if it isn't encoded as it claims, `unsupported_media_type`
 */
export function unpack(body: Uint8Array, contentEncoding: string | null): Uint8Array {
  switch ((contentEncoding ?? '').trim().toLowerCase()) {
    case '':
    case 'identity':
      return body
    case 'gzip':
      return gunzip(body)
  }
  throw new Problem('unsupported_media_type', 'Content-Encoding: expected gzip or none.')
}

function gunzip(body: Uint8Array): Uint8Array {
  try {
    return gunzipSync(body, { maxOutputLength: MAX_PLAIN_BYTES })
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new Problem('body_too_large', `The decompressed body exceeds ${MAX_PLAIN_BYTES} bytes.`)
    }
    throw new Problem('bad_request', "The body isn't valid gzip, or is incomplete.")
  }
}
