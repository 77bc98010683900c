import { sql } from 'drizzle-orm'
import { marks } from '../../../drizzle/schema.ts'
import type { Call, Graph, Service } from '../../core/graph.ts'
import { type MarkName, removeMark, setMark } from '../../retention/marks.ts'
import type { Database } from '../../storage/storage.ts'
import { edgeKey, FIRST_COLOR } from '../model.ts'
import type { Declaration, DeclaredService } from './declaration.ts'

/** Its row in {@link marks}. */
const MARK: MarkName = 'declared'

/** A declaration, and when it was made. */
export interface Declared extends Declaration {
  /** ISO 8601. */
  declaredAt: string
}

/** The declared graph, drawn below what is reported: a report's own words win. */
export class DeclaredGraph {
  readonly #db: Database | undefined
  #declared: Declared | undefined
  #services = new Map<string, DeclaredService>()
  #calls = new Map<string, Call>()

  /** @param db where it is stored; without one it lasts as long as the process */
  constructor(db?: Database) {
    this.#db = db
  }

  /** What is declared. */
  get current(): Declared | undefined {
    return this.#declared
  }

  /** Replaces the declaration, and stores it; undefined removes it. @returns what may have changed */
  async put(declaration: Declaration | undefined, now: number): Promise<Changed> {
    const declaredAt = new Date(now)
    if (this.#db !== undefined) {
      if (declaration === undefined) await removeMark(this.#db, MARK)
      else await setMark(this.#db, MARK, declaredAt, declaration)
    }
    return this.#apply(declaration && { ...declaration, declaredAt: declaredAt.toISOString() })
  }

  /** Reads what another process, or an earlier run, declared. @returns what may have changed */
  async read(): Promise<Changed> {
    if (this.#db === undefined) return { services: [], calls: [] }
    const known = this.#declared?.declaredAt ?? null
    // Asked every few seconds: what is known already isn't read again.
    const { rows } = (await this.#db.execute(sql`
      SELECT (extract(epoch FROM at) * 1000)::float8 AS at,
        CASE WHEN at = ${known}::timestamptz THEN NULL ELSE detail END AS detail
      FROM ${marks} WHERE name = ${MARK}`)) as { rows: { at: number; detail: Declaration | null }[] }
    const [row] = rows
    if (row === undefined ? known === null : row.detail === null) return { services: [], calls: [] }
    return this.#apply(
      row?.detail ? { ...row.detail, declaredAt: new Date(row.at).toISOString() } : undefined,
    )
  }

  /** A service as reported, with the declared words where it has none of its own. */
  service(id: string, reported: Service | undefined): Service | undefined {
    const declared = this.#services.get(id)
    if (declared === undefined) return reported
    const { name = id, kind = 'service', group } = declared
    if (reported === undefined) {
      const reportedAt = this.#declared?.declaredAt ?? ''
      return { id, name, kind, color: FIRST_COLOR, reportedAt, ...(group !== undefined && { group }) }
    }
    return {
      ...reported,
      name: reported.name === id ? name : reported.name,
      kind: reported.kind === 'service' ? kind : reported.kind,
      ...(reported.group === undefined && group !== undefined && { group }),
    }
  }

  call(key: string, reported: Call | undefined): Call | undefined {
    const declared = this.#calls.get(key)
    return declared === undefined || reported === undefined
      ? (reported ?? declared)
      : { ...reported, isDeclared: true }
  }

  /** The reported graph, and what is only declared after it. */
  under({ services, calls }: Graph): Graph {
    if (this.#declared === undefined) return { services, calls }
    const byId = new Map(services.map((service) => [service.id, service]))
    const byKey = new Map(calls.map((call) => [edgeKey(call), call]))
    const ids = new Set([...byId.keys(), ...this.#services.keys()])
    const keys = new Set([...byKey.keys(), ...this.#calls.keys()])
    return {
      services: [...ids].flatMap((id) => this.service(id, byId.get(id)) ?? []),
      calls: [...keys].flatMap((key) => this.call(key, byKey.get(key)) ?? []),
    }
  }

  #apply(declared: Declared | undefined): Changed {
    const before = { services: [...this.#services.keys()], calls: [...this.#calls.keys()] }
    this.#declared = declared
    this.#services = new Map(declared?.services.map((service) => [service.id, service]))
    this.#calls = new Map(
      declared?.calls.map(({ from, to }) => {
        const call: Call = { from, to, count: 0, errors: 0, isDeclared: true }
        return [edgeKey(call), call]
      }),
    )
    return {
      services: [...before.services, ...this.#services.keys()],
      calls: [...before.calls, ...this.#calls.keys()],
    }
  }
}

/** IDs of services and keys of calls that may be drawn in another way now. */
interface Changed {
  services: readonly string[]
  calls: readonly string[]
}
