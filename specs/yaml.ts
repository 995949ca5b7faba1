import { isScalar, LineCounter, parseDocument, visit } from 'yaml'
import { type ErrorCode, fault } from './errors.ts'

/** A map with a line for each of 10,000 codes is a quarter of it. */
const LONGEST_FILE = 1024 * 1024

/** What a YAML file is called, and the code of what is wrong with it. */
interface YamlFile {
  readonly name: string
  readonly code: ErrorCode
  /** `failsafe`: every scalar is a string, so that `01` and `NO` stay what they are. */
  readonly schema: 'failsafe' | 'core'
}

/**
 * Reads YAML that a person wrote, in time that grows with its length. Every key is one word, stands once, and is not
 * `__proto__`, which JavaScript would lose.
 * @throws InbondError `code`, with line and column
 */
export function readYaml(text: string, { name, code, schema }: YamlFile): unknown {
  if (text.length > LONGEST_FILE) throw fault(code, `${name} is longer than ${LONGEST_FILE} characters`)
  const lines = new LineCounter()
  const refuse = (problem: string, at: number, cause?: unknown) => {
    const { line, col } = lines.linePos(at)
    throw fault(code, `${name} is not YAML: ${problem} at line ${line}, column ${col}`, cause)
  }
  // The parser's own excerpts, and its own search for repeated keys, take time that grows with the square of the length.
  const document = parseDocument(text, {
    schema,
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
    logLevel: 'error',
  })
  const [error] = document.errors
  if (error) {
    const problem = error.code === 'RESOURCE_EXHAUSTION' ? 'It is nested too deep' : error.message.split('\n')[0]
    return refuse((problem as string).slice(0, 200), error.pos[0], error)
  }
  visit(document, {
    Map(_, { items }) {
      const seen = new Set<string>()
      for (const { key } of items) {
        const at = (key as { range?: [number] } | null)?.range?.[0] ?? 0
        if (!isScalar(key)) return refuse('A key must be one word', at)
        const word = String(key.value)
        if (word === '__proto__') refuse('A key must not be __proto__', at)
        if (seen.has(word)) refuse('Map keys must be unique', at)
        seen.add(word)
      }
    },
  })
  try {
    return document.toJS()
  } catch (cause) {
    throw fault(code, `${name} is not YAML: ${(cause as Error).message}`, cause)
  }
}
