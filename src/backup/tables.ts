import { sql } from 'drizzle-orm'
import type { Database } from '../storage/storage.ts'

/** A table as the migrations left it. */
export interface Table {
  name: string
  columns: readonly { name: string; type: string }[]
  /** Columns of its primary key. */
  key: readonly string[]
}

/** A constraint that refers to another table. */
export interface ForeignKey {
  table: string
  name: string
  definition: string
}

/** Every table of Weir; partitions belong to their table. */
export async function listTables(db: Database): Promise<Table[]> {
  const { rows } = (await db.execute(sql`
    SELECT class.relname AS name,
      (SELECT json_agg(json_build_object('name', attname, 'type', format_type(atttypid, atttypmod)) ORDER BY attnum)
        FROM pg_attribute
        WHERE attrelid = class.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '') AS columns,
      (SELECT json_agg(attname ORDER BY place)
        FROM pg_index, unnest(indkey::int2[]) WITH ORDINALITY AS part (number, place), pg_attribute
        WHERE indrelid = class.oid AND indisprimary AND attrelid = class.oid AND attnum = part.number) AS key
    FROM pg_class AS class
    JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
    WHERE nspname = 'weir' AND relkind IN ('r', 'p') AND NOT relispartition
    ORDER BY 1`)) as unknown as { rows: Table[] }
  return rows
}

/** Foreign keys; those of partitions belong to their table. */
export async function listForeignKeys(db: Database): Promise<ForeignKey[]> {
  const { rows } = (await db.execute(sql`
    SELECT class.relname AS "table", conname AS name, pg_get_constraintdef(foreign_key.oid) AS definition
    FROM pg_constraint AS foreign_key
    JOIN pg_class AS class ON class.oid = conrelid
    JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
    WHERE nspname = 'weir' AND contype = 'f' AND conparentid = 0 AND NOT relispartition
    ORDER BY 1, 2`)) as unknown as { rows: ForeignKey[] }
  return rows
}

/** An SQL identifier. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
