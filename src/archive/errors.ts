/** Why the archive can't be used, grouped by the required action. */
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

/** The archive can't be used. The message is a sentence for people and contains no secret. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError'
  constructor(
    readonly code: ArchiveErrorCode,
    message: string,
  ) {
    super(message)
  }

  /** Whether a retry in a moment may succeed. */
  get isTransient(): boolean {
    return TRANSIENT.has(this.code)
  }
}

const TRANSIENT = new Set<ArchiveErrorCode>(['timeout', 'unreachable', 'mismatch', 'failed'])

/** The error details of a failed request, from the S3 service or a proxy in between. */
export interface S3Failure {
  /** Omitted if there was no response, or if the client doesn't say. */
  status?: number
  /** The error code from S3, or from the client. */
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
/** For responses without a code, such as those to HEAD and from proxies in between. */
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

/** The error for a rejected request, with the service's message. */
export function archiveError(refusal: S3Failure): ArchiveError {
  const code = CODES[refusal.code ?? ''] ?? STATUSES[refusal.status ?? 0] ?? 'failed'
  return sentence(code, said(refusal))
}

/** An error that Weir detected itself. */
export function sentence(code: ArchiveErrorCode, detail = ''): ArchiveError {
  return new ArchiveError(code, detail === '' ? SENTENCES[code] : `${SENTENCES[code]} ${detail}`)
}

function said({ status, code, message }: S3Failure): string {
  const words = [status, code, message && `"${message.replace(/\.$/, '')}"`].filter(Boolean)
  return words.length === 0 ? '' : `Response: ${words.join(' ')}.`
}
