/** Why the archive can't be used, by what has to be done about it. */
export const ARCHIVE_ERRORS = [
  'no_bucket',
  'forbidden',
  'bad_keys',
  'clock',
  'full',
  'timeout',
  'unreachable',
  'not_allowed',
  'missing',
  'mismatch',
  'damaged',
  'failed',
] as const
export type ArchiveErrorCode = (typeof ARCHIVE_ERRORS)[number]

/** The archive can't be used; the message is a sentence for people and holds no secret. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError'
  constructor(
    readonly code: ArchiveErrorCode,
    message: string,
  ) {
    super(message)
  }

  /** Whether the same may go well a moment later. */
  get isTransient(): boolean {
    return TRANSIENT.has(this.code)
  }
}

const TRANSIENT = new Set<ArchiveErrorCode>(['timeout', 'unreachable', 'mismatch', 'failed'])

/** What an S3 service, or the way to it, said of a request that failed. */
export interface Refusal {
  /** Left out where no answer came, or the client doesn't tell. */
  status?: number
  /** S3's own error code, or the client's. */
  code?: string
  message?: string
}

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
const CODES: Readonly<Record<string, ArchiveErrorCode>> = {
  NoSuchBucket: 'no_bucket',
  InvalidBucketName: 'no_bucket',
  PermanentRedirect: 'no_bucket',
  AccessDenied: 'forbidden',
  AllAccessDisabled: 'forbidden',
  InvalidAccessKeyId: 'bad_keys',
  SignatureDoesNotMatch: 'bad_keys',
  AuthorizationHeaderMalformed: 'bad_keys',
  AuthorizationQueryParametersError: 'bad_keys',
  ExpiredToken: 'bad_keys',
  InvalidToken: 'bad_keys',
  RequestTimeTooSkewed: 'clock',
  RequestExpired: 'clock',
  QuotaExceeded: 'full',
  InsufficientStorage: 'full',
  EntityTooLarge: 'full',
  XMinioStorageFull: 'full',
  XMinioAdminBucketQuotaExceeded: 'full',
  RequestTimeout: 'timeout',
  NoSuchKey: 'missing',
  ConnectionRefused: 'unreachable',
  ConnectionClosed: 'unreachable',
  ECONNREFUSED: 'unreachable',
  ECONNRESET: 'unreachable',
  DNSResolveFailed: 'unreachable',
  FailedToOpenSocket: 'unreachable',
  UnableToConnect: 'unreachable',
}
/** For answers that say no code, as those to HEAD and those of proxies in between. */
const STATUSES: Readonly<Record<number, ArchiveErrorCode>> = {
  401: 'bad_keys',
  403: 'forbidden',
  404: 'missing',
  408: 'timeout',
  413: 'full',
  504: 'timeout',
  507: 'full',
}

const SENTENCES: Readonly<Record<ArchiveErrorCode, string>> = {
  no_bucket: "The bucket doesn't exist or isn't in S3_REGION. Create it, or fix S3_BUCKET.",
  forbidden: 'Access denied. Allow the access key to put, get and delete objects in the bucket.',
  bad_keys: 'The service rejected the credentials. Fix S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY or S3_REGION.',
  clock: "This machine's clock is too far off to sign requests. Correct it.",
  full: 'The bucket is full. Free some space or raise its quota.',
  timeout: 'The service took too long to respond.',
  unreachable: "Can't reach the service. Check S3_ENDPOINT and the network.",
  not_allowed: "S3_ENDPOINT isn't an allowed address.",
  missing: 'An archived object is missing from the bucket.',
  mismatch: "The data read back doesn't match the data written.",
  damaged: 'An archived object is corrupt.',
  failed: 'The service failed.',
}

/** The error that a refusal stands for, with what the service itself said of it. */
export function archiveError(refusal: Refusal): ArchiveError {
  const code = CODES[refusal.code ?? ''] ?? STATUSES[refusal.status ?? 0] ?? 'failed'
  return sentence(code, said(refusal))
}

/** An error of Weir's own finding. */
export function sentence(code: ArchiveErrorCode, detail = ''): ArchiveError {
  return new ArchiveError(code, detail === '' ? SENTENCES[code] : `${SENTENCES[code]} ${detail}`)
}

function said({ status, code, message }: Refusal): string {
  const words = [status, code, message && `"${message.replace(/\.$/, '')}"`].filter(Boolean)
  return words.length === 0 ? '' : `Response: ${words.join(' ')}.`
}
