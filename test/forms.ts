/** The forms in which a secret could lie on a disk or stand in a text. */

/** Cents as a decimal number of units. */
export function inUnits(value: bigint): string {
  return `${value / 100n}.${String(value % 100n).padStart(2, '0')}`
}

/** A number as text, and as integers and floating-point numbers of 64 bits. */
export function formsOf(value: bigint): (Buffer | string)[] {
  const integer = Buffer.alloc(8)
  integer.writeBigInt64LE(value)
  const floating = Buffer.alloc(8)
  floating.writeDoubleLE(Number(value))
  const swapped = [integer, floating].map(bytes => Buffer.from(bytes).reverse())
  // SQLite stores integers of this size in six bytes.
  return [String(value), inUnits(value), integer, floating, ...swapped, (swapped[0] as Buffer).subarray(2)]
}

/** Bytes as a text could show them: as they are, in hex, decimal, and base64 at any position within a longer string. */
export function textForms(secret: Buffer): string[] {
  const base64 = [0, 1, 2].map(shift =>
    Buffer.concat([Buffer.alloc(shift), secret])
      .toString('base64')
      // The characters at both ends hold bits of what stands beside the secret.
      .slice(Math.ceil((shift * 4) / 3), -4),
  )
  const base64url = base64.map(text => text.replaceAll('+', '-').replaceAll('/', '_'))
  const hex = secret.toString('hex')
  const forms = [secret.toString(), secret.toString('latin1'), hex, hex.toUpperCase(), String(BigInt(`0x${hex}`))]
  return [...new Set([...forms, [...secret].join(','), ...base64, ...base64url])]
}
