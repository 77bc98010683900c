import { createHash, createHmac } from 'node:crypto'

/** The keys, and the region they sign for. */
export interface Signer {
  accessKeyId: string
  secretAccessKey: string
  region: string
}

export interface Signed {
  method: string
  /** Without a query. */
  url: URL
  query?: Readonly<Record<string, string>>
  expiresSeconds: number
  at: Date
}

/**
 * A URL signed for one request by AWS Signature Version 4. Not signed with the runtime's S3 client, because that adds
 * the session token from the environment, whichever service the request goes to.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
 */
export function signedUrl({ method, url, query, expiresSeconds, at }: Signed, signer: Signer): string {
  const time = at.toISOString().replace(/[-:]|\.\d{3}/g, '')
  const day = time.slice(0, 8)
  const scope = `${day}/${signer.region}/s3/aws4_request`
  const path = canonicalPath(url.pathname)
  const parameters = canonicalQuery({
    ...query,
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `${signer.accessKeyId}/${scope}`,
    'X-Amz-Date': time,
    'X-Amz-Expires': String(expiresSeconds),
    'X-Amz-SignedHeaders': 'host',
  })
  const request = [method, path, parameters, `host:${url.host}\n`, 'host', 'UNSIGNED-PAYLOAD'].join('\n')
  const digest = createHash('sha256').update(request).digest('hex')
  const text = ['AWS4-HMAC-SHA256', time, scope, digest].join('\n')
  const key = [day, signer.region, 's3', 'aws4_request'].reduce<string | Buffer>(
    (secret, part) => hmac(secret, part),
    `AWS4${signer.secretAccessKey}`,
  )
  return `${url.origin}${path}?${parameters}&X-Amz-Signature=${hmac(key, text).toString('hex')}`
}

/** Encodes as AWS does: everything but unreserved characters. An S3 path keeps its slashes and isn't normalized. */
export function encoded(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function canonicalPath(pathname: string): string {
  return pathname
    .split('/')
    .map((part) => encoded(decodeURIComponent(part)))
    .join('/')
}

function canonicalQuery(parameters: Readonly<Record<string, string>>): string {
  return Object.entries(parameters)
    .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
    .sort()
    .join('&')
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
