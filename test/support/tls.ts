import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { $ } from 'bun'

export interface TestCertificate {
  key: string
  cert: string
}

/** A self-signed certificate for `localhost` and 127.0.0.1, made by OpenSSL, that expires in so many days. */
export async function makeCertificate(days: number, issuer = 'Weir test'): Promise<TestCertificate> {
  const directory = mkdtempSync(join(tmpdir(), 'weir-tls-'))
  try {
    const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
    await $`openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ${key} -out ${cert} -days ${days} -subj ${`/CN=${issuer}`} -addext subjectAltName=DNS:localhost,IP:127.0.0.1`.quiet()
    return { key: await Bun.file(key).text(), cert: await Bun.file(cert).text() }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
