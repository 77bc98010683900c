import { type SQL, type SQLWrapper, sql } from 'drizzle-orm'

/** The host of a URL, with its port, in SQL. URLs are stored as `URL` writes them: in lower case, and with a path. */
export function hostOf(url: SQLWrapper): SQL<string> {
  return sql<string>`split_part(${url}, '/', 3)`
}
