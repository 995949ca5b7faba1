import type { Names } from './faults.ts'

/** Writes of the database as SQL, and the names that commits have from them. */

export function isWrite(sql: string): boolean {
  return /^(insert|update|delete)\b/i.test(sql)
}

/**
 * What a statement writes: a row of a table is `table`, whether it comes or goes; a column that is filled is `table.column`, one
 * that is emptied `table.column emptied`, and one of a few values `table.column=value`.
 */
export function namesOfWrite(sql: string, parameters: readonly unknown[], names: Names): string[] {
  const [, deleted] = /^delete from "(\w+)"/i.exec(sql) ?? []
  if (deleted !== undefined) return [deleted]
  const [, updated, set = ''] = /^update "(\w+)" set (.*?)(?: where .*)?$/is.exec(sql) ?? []
  if (updated !== undefined) {
    const columns = [...set.matchAll(/"(\w+)" = (\?|null)/g)].map(([, column, value]) => [column, value] as const)
    return assigned(updated, columns, parameters).map(one => nameOf(one, names))
  }
  const [, table, list = '', values = ''] = /^insert into "(\w+)" ?\(([^)]*)\) values ?\(([^)]*)\)/i.exec(sql) ?? []
  if (table === undefined) throw new Error(`a write of a form that has no name: ${sql}`)
  const given = values.split(', ')
  const columns = [...list.matchAll(/"(\w+)"/g)].map(([, column], i) => [column, given[i]] as const)
  const named = assigned(table, columns, parameters).filter(
    ({ column, value }) =>
      names.enumerated.includes(column) || (names.nullable.includes(column) && value !== null && value !== undefined),
  )
  return [table, ...named.map(one => nameOf(one, names))]
}

interface Assignment {
  readonly column: string
  readonly value: unknown
}

function assigned(
  table: string,
  columns: readonly (readonly [column: string | undefined, value: string | undefined])[],
  parameters: readonly unknown[],
): Assignment[] {
  let next = 0
  return columns.map(([column, value]) => ({
    column: `${table}.${column}`,
    value: value === '?' ? parameters[next++] : null,
  }))
}

function nameOf({ column, value }: Assignment, names: Names): string {
  if (names.enumerated.includes(column)) return `${column}=${value}`
  return value === null ? `${column} emptied` : column
}
