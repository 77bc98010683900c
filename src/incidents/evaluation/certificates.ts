import { eq, sql } from 'drizzle-orm'
import { incidentEvents, incidents } from '../../../drizzle/schema.ts'
import { CERTIFICATE_DAYS, certificateUrgency, expiryText } from '../../core/certificate.ts'
import { DAY_MS } from '../../core/time.ts'
import { utcMinute } from '../../core/units.ts'
import type { Database } from '../../storage/storage.ts'
import { open, resolve } from './apply.ts'
import { HOST, WATCHED } from './standing.ts'

/** Prefix of the key of the incident of a host's certificate. */
const CERTIFICATE_KEY = 'certificate:'
/** Hosts in one evaluation, those that expire first. */
const MAX_EXPIRING = 1_000

interface Expiring {
  host: string
  expiresAt: number
  issuer: string
  streams: number
}

/**
 * Opens an incident for each certificate that expires soon, sends it again when it becomes more urgent, and resolves it
 * once the host presents another one, or is no longer followed.
 */
export async function evaluateCertificates(tx: Database, now: number): Promise<void> {
  const found = new Map((await expiring(tx, now)).map((each) => [CERTIFICATE_KEY + each.host, each]))
  const { rows } = (await tx.execute(sql`
    SELECT id, key, (evidence->>'urgency')::int AS urgency FROM weir.incidents
    WHERE resolved_at IS NULL AND cause = 'certificate'`)) as {
    rows: { id: string; key: string; urgency: number | null }[]
  }
  await resolve(
    tx,
    rows.filter(({ key }) => !found.has(key)).map(({ key }) => ({ key })),
    now,
  )
  const known = new Map(rows.map((row) => [row.key, row]))
  const opened = [...found].filter(([key]) => !known.has(key))
  await open(
    tx,
    opened.map(([key, each]) => ({
      key,
      ...{ cause: 'certificate' as const, streamId: null, host: each.host, affected: each.streams },
      ...said(each, now),
      since: now,
      evidence: { urgency: urgencyOf(each, now) },
    })),
    now,
  )
  for (const [key, each] of found) {
    const incident = known.get(key)
    const urgency = urgencyOf(each, now)
    if (incident === undefined || urgency === undefined || urgency >= (incident.urgency ?? 0)) continue
    await worsen(tx, incident.id, each, urgency, now)
  }
}

async function expiring(tx: Database, now: number): Promise<Expiring[]> {
  const until = now + CERTIFICATE_DAYS[0] * DAY_MS
  const { rows } = (await tx.execute(sql`
    SELECT * FROM (
      SELECT DISTINCT ON (host) host, (certificate->>'expiresAt')::float8 AS "expiresAt",
        certificate->>'issuer' AS issuer, count(*) OVER (PARTITION BY host)::int AS streams
      FROM (
        SELECT ${HOST} AS host, st.evidence->'certificate' AS certificate
        FROM weir.states st JOIN weir.streams s ON s.id = st.stream_id
        WHERE s.desired = 'running' AND st.evidence ? 'certificate' AND ${WATCHED}
      ) AS presented
      ORDER BY host, (certificate->>'seenAt')::float8 DESC
    ) AS newest
    WHERE "expiresAt" <= ${until}::float8 ORDER BY "expiresAt" LIMIT ${MAX_EXPIRING}::int`)) as {
    rows: object[]
  }
  return rows as Expiring[]
}

function urgencyOf({ expiresAt }: Expiring, now: number): number | undefined {
  return certificateUrgency(expiresAt, now)
}

function said({ host, expiresAt, issuer }: Expiring, now: number): { title: string; detail: string } {
  const verb = expiresAt > now ? 'expires' : 'expired'
  const at = utcMinute(new Date(expiresAt))
  const by = issuer === '' ? '' : `, issued by ${issuer},`
  return {
    title: `${host}: certificate ${verb} ${expiryText(expiresAt, now)}`,
    detail: `The TLS certificate of ${host}${by} ${verb} at ${at} UTC. Requests fail from then on until it is renewed.`,
  }
}

/** Its notification is due again. */
async function worsen(tx: Database, id: string, each: Expiring, urgency: number, now: number): Promise<void> {
  const { title, detail } = said(each, now)
  const evidence = sql`coalesce(${incidents.evidence}, '{}') || ${JSON.stringify({ urgency })}::jsonb`
  await tx
    .update(incidents)
    .set({ title, detail, affected: each.streams, evidence, notifiedAt: null, remindedAt: null })
    .where(eq(incidents.id, id))
  await tx
    .insert(incidentEvents)
    .values({ id: Bun.randomUUIDv7(), incidentId: id, at: new Date(now), kind: 'worsened', note: title })
}
