import type { Ciphertext, MainModule, Plaintext, SEALContext } from 'node-seal/allows'
// "allows" permits transparent ciphertexts: a ring element carried as a ciphertext has no second polynomial to hide behind.
import initialize from 'node-seal/allows'
import { checkResidues } from './packing.ts'
import { CELLS_PER_CHUNK, CIPHERTEXT_PRIMES, PLAINTEXT_MODULUS, SPARE_PRIME } from './parameters.ts'

/** Words of 64 bits of one polynomial over Q: limb by limb, coefficient by coefficient. */
export const WORDS_PER_POLYNOMIAL = CIPHERTEXT_PRIMES.length * CELLS_PER_CHUNK

/** Ring elements travel through SEAL two at a time, as the two polynomials of one ciphertext: half the calls. */
export const POLYNOMIALS_PER_PAIR = 2

/**
 * SEAL's binary form of an object, which SEAL loads and validates (every residue against its prime). Writing it here and
 * loading it at once is how values get into WebAssembly without a call for each coefficient. The layouts are those of
 * `Ciphertext::save_members` and `Plaintext::save_members` of SEAL 4.1.
 */
interface Image {
  readonly bytes: Uint8Array
  /** The 64-bit words of the object as low and high halves, little endian like every platform that runs WebAssembly. */
  readonly halves: Uint32Array
}

const CIPHERTEXT_DATA_OFFSET = 113
const PLAINTEXT_DATA_OFFSET = 88

function writeHeader(view: DataView, offset: number, totalBytes: number): void {
  view.setUint32(offset, 0x0410a15e, true) // magic a15e, header of 16 bytes, major version 4
  view.setUint32(offset + 4, 1, true) // minor version 1, no compression
  view.setBigUint64(offset + 8, BigInt(totalBytes), true)
}

/** Allocates so that the words are aligned to 8 bytes although SEAL's format does not align them. */
function allocate(dataOffset: number, words: number): { bytes: Uint8Array; halves: Uint32Array; view: DataView } {
  const padding = (8 - (dataOffset % 8)) % 8
  const buffer = new ArrayBuffer(padding + dataOffset + words * 8)
  return {
    bytes: new Uint8Array(buffer, padding),
    halves: new Uint32Array(buffer, padding + dataOffset, words * 2),
    view: new DataView(buffer, padding),
  }
}

function ciphertextImage(parmsId: Uint8Array, form: 'coefficients' | 'ntt'): Image {
  const words = POLYNOMIALS_PER_PAIR * WORDS_PER_POLYNOMIAL
  const { bytes, halves, view } = allocate(CIPHERTEXT_DATA_OFFSET, words)
  writeHeader(view, 0, bytes.length)
  bytes.set(parmsId, 16)
  view.setUint8(48, form === 'ntt' ? 1 : 0)
  view.setBigUint64(49, BigInt(POLYNOMIALS_PER_PAIR), true)
  view.setBigUint64(57, BigInt(CELLS_PER_CHUNK), true)
  view.setBigUint64(65, BigInt(CIPHERTEXT_PRIMES.length), true)
  view.setFloat64(73, 1, true) // scale
  view.setBigUint64(81, 1n, true) // correction factor
  writeHeader(view, 89, bytes.length - 89)
  view.setBigUint64(105, BigInt(words), true)
  return { bytes, halves }
}

function plaintextImage(parmsId: Uint8Array, words: number): Image {
  const { bytes, halves, view } = allocate(PLAINTEXT_DATA_OFFSET, words)
  writeHeader(view, 0, bytes.length)
  bytes.set(parmsId, 16)
  view.setBigUint64(48, BigInt(words), true)
  view.setFloat64(56, 1, true) // scale
  writeHeader(view, 64, bytes.length - 64)
  view.setBigUint64(80, BigInt(words), true)
  return { bytes, halves }
}

/** The data words of what `saveToArray` returned, as halves; copied only if SEAL's buffer is not aligned. */
function savedHalves(saved: Uint8Array, dataOffset: number): Uint32Array {
  const start = saved.byteOffset + dataOffset
  if (start % 4 === 0) return new Uint32Array(saved.buffer, start, (saved.length - dataOffset) / 4)
  return new Uint32Array(saved.slice(dataOffset).buffer)
}

function createContext(seal: MainModule, scheme: 'bgv' | 'ckks', level: 'none' | 'tc128'): SEALContext {
  using parms = new seal.EncryptionParameters(seal.SchemeType[scheme])
  parms.setPolyModulusDegree(CELLS_PER_CHUNK)
  using moduli = new seal.VectorModulus()
  for (const prime of [...CIPHERTEXT_PRIMES, SPARE_PRIME]) {
    using modulus = new seal.Modulus(BigInt(prime))
    moduli.push_back(modulus)
  }
  parms.setCoeffModulus(moduli)
  if (scheme === 'bgv') {
    using plain = new seal.Modulus(PLAINTEXT_MODULUS)
    parms.setPlainModulus(plain)
  }
  // Not expanded: nothing here switches to fewer primes, and the tables of further levels take time to make.
  const context = new seal.SEALContext(parms, false, seal.SecLevelType[level])
  if (!context.parametersSet()) throw new Error(`SEAL refuses the ${scheme} parameters: ${context.toHuman()}`)
  return context
}

function firstParmsId(context: SEALContext): Uint8Array {
  using id = context.firstParmsId()
  return new Uint8Array((id.values() as BigUint64Array<ArrayBuffer>).slice().buffer)
}

const NOT_NTT = new Uint8Array(32)

export interface Decrypted {
  /** Bits of noise budget left, as SEAL measures them; 0 means that the key does not open this ciphertext. */
  readonly noiseBudget: number
  /** n words below t as halves; trailing zeros, which SEAL trims, are put back. */
  readonly halves: Uint32Array
}

/**
 * SEAL 4.1 in WebAssembly, in the few words that Inbond speaks.
 *
 * Two contexts share the primes. `bgv` lifts plaintexts and decrypts, at SEAL's own 128-bit security check. `ring` is a
 * CKKS context without encoder or key: in it, adding, subtracting, transforming and multiplying "ciphertexts" of scale 1 are
 * exactly the operations of R_Q = Z_Q[x]/(x^n + 1).
 *
 * Everything that SEAL allocates lives in WebAssembly memory, is owned by an object with `Symbol.dispose`, and is given back.
 * What an exception takes of its stack is not: after some 4,000 of them the module aborts. So values are checked before SEAL sees
 * them, and it has no reason to throw.
 */
export class Seal {
  readonly #seal: MainModule
  readonly #bgv: SEALContext
  readonly #ring: SEALContext
  readonly #bgvEvaluator
  readonly #ringEvaluator
  readonly #bgvParmsId: Uint8Array
  readonly #ringParmsId: Uint8Array
  readonly #lifting: Image
  readonly #lifted: Plaintext
  readonly #lift: Plaintext

  constructor(seal: MainModule) {
    this.#seal = seal
    this.#bgv = createContext(seal, 'bgv', 'tc128')
    this.#ring = createContext(seal, 'ckks', 'none')
    this.#bgvEvaluator = new seal.Evaluator(this.#bgv)
    this.#ringEvaluator = new seal.Evaluator(this.#ring)
    this.#bgvParmsId = firstParmsId(this.#bgv)
    this.#ringParmsId = firstParmsId(this.#ring)
    this.#lifting = plaintextImage(NOT_NTT, CELLS_PER_CHUNK)
    this.#lift = new seal.Plaintext()
    this.#lifted = new seal.Plaintext()
  }

  /** A pair of ring elements that is loaded from its `halves` (2 × 2 limbs × n words). */
  pair(form: 'coefficients' | 'ntt'): Pair {
    return new Pair(this.#seal, this.#ring, this.#ringEvaluator, ciphertextImage(this.#ringParmsId, form))
  }

  /**
   * Lifts n words below t (as halves) centred into Z_Q and transforms them.
   * @returns 2 limbs × n words in NTT form, as halves
   */
  transformPlain(halves: Uint32Array): Uint32Array {
    return this.#transform(halves, () => this.#bgv.firstParmsId())
  }

  #transform(halves: Uint32Array, parmsId: () => ReturnType<SEALContext['firstParmsId']>): Uint32Array {
    this.#lifting.halves.set(halves)
    this.#lift.loadFromArray(this.#bgv, this.#lifting.bytes)
    using id = parmsId()
    this.#bgvEvaluator.plainTransformToNtt(this.#lift, id, this.#lifted)
    const saved = this.#lifted.saveToArray(this.#seal.ComprModeType.none)
    this.#forget()
    return savedHalves(saved, PLAINTEXT_DATA_OFFSET)
  }

  /** A factor for `Pair.multiply`, from n words below t (a short polynomial, coefficients centred modulo t). */
  factor(halves: Uint32Array): Factor {
    const image = plaintextImage(this.#ringParmsId, WORDS_PER_POLYNOMIAL)
    image.halves.set(this.transformPlain(halves))
    const plain = new this.#seal.Plaintext()
    plain.loadFromArray(this.#ring, image.bytes)
    image.bytes.fill(0)
    return plain
  }

  /** A decryptor for a secret key given as n words below t (coefficients centred modulo t). */
  decryptor(halves: Uint32Array): Decryptor {
    const words = this.#transform(halves, () => this.#bgv.keyParmsId())
    using keyParmsId = this.#bgv.keyParmsId()
    const parmsId = new Uint8Array((keyParmsId.values() as BigUint64Array<ArrayBuffer>).slice().buffer)
    const image = plaintextImage(parmsId, words.length / 2)
    image.halves.set(words)
    using key = new this.#seal.SecretKey()
    key.loadFromArray(this.#bgv, image.bytes)
    image.bytes.fill(0)
    return new Decryptor(this.#seal, this.#bgv, new this.#seal.Decryptor(this.#bgv, key), this.#bgvParmsId)
  }

  /** Overwrites the buffers through which a key or cells went in: they live as long as the thread. */
  #forget(): void {
    this.#lifting.halves.fill(0)
    this.#lift.setZero()
    this.#lifted.setZero()
  }
}

/** A polynomial in NTT form, ready to multiply ring elements with. */
export type Factor = Plaintext

/** Two elements of R_Q in SEAL's memory. `halves` is the window through which they are set; see `load`. */
export class Pair {
  readonly #seal: MainModule
  readonly #context: SEALContext
  readonly #evaluator
  readonly #image: Image
  readonly #ciphertext: Ciphertext

  constructor(seal: MainModule, context: SEALContext, evaluator: InstanceType<MainModule['Evaluator']>, image: Image) {
    this.#seal = seal
    this.#context = context
    this.#evaluator = evaluator
    this.#image = image
    this.#ciphertext = new seal.Ciphertext()
  }

  get halves(): Uint32Array {
    return this.#image.halves
  }

  /** Takes over what is in `halves`. @throws InbondError `bad-residue` if a word is not below its prime */
  load(): this {
    checkResidues(this.halves)
    this.#ciphertext.loadFromArray(this.#context, this.#image.bytes)
    return this
  }

  /** The words as halves; a pair of another form than NTT must have been transformed. */
  save(): Uint32Array {
    return savedHalves(this.#ciphertext.saveToArray(this.#seal.ComprModeType.none), CIPHERTEXT_DATA_OFFSET)
  }

  transform(): this {
    this.#evaluator.cipherTransformToNttInplace(this.#ciphertext)
    return this
  }

  add(other: Pair): this {
    this.#evaluator.addInplace(this.#ciphertext, other.#ciphertext)
    return this
  }

  subtract(other: Pair): this {
    this.#evaluator.subInplace(this.#ciphertext, other.#ciphertext)
    return this
  }

  multiply(factor: Factor): this {
    this.#evaluator.multiplyPlainInplace(this.#ciphertext, factor)
    return this
  }

  [Symbol.dispose](): void {
    this.#ciphertext.delete()
    this.#image.bytes.fill(0)
  }
}

/** Opens ciphertexts (C, a) under one secret key. */
export class Decryptor {
  readonly #seal: MainModule
  readonly #context: SEALContext
  readonly #decryptor: InstanceType<MainModule['Decryptor']>
  readonly #image: Image
  readonly #ciphertext: Ciphertext
  readonly #plaintext: Plaintext

  constructor(
    seal: MainModule,
    context: SEALContext,
    decryptor: InstanceType<MainModule['Decryptor']>,
    parmsId: Uint8Array,
  ) {
    this.#seal = seal
    this.#context = context
    this.#decryptor = decryptor
    this.#image = ciphertextImage(parmsId, 'ntt')
    this.#ciphertext = new seal.Ciphertext()
    this.#plaintext = new seal.Plaintext()
  }

  /** The window for (C, a): first the words of C, then those of a. */
  get halves(): Uint32Array {
    return this.#image.halves
  }

  /** Decrypts what is in `halves`. @throws InbondError `bad-residue` if a word is not below its prime */
  decrypt(): Decrypted {
    checkResidues(this.halves)
    this.#ciphertext.loadFromArray(this.#context, this.#image.bytes)
    const noiseBudget = this.#decryptor.invariantNoiseBudget(this.#ciphertext)
    this.#decryptor.decrypt(this.#ciphertext, this.#plaintext)
    const halves = new Uint32Array(CELLS_PER_CHUNK * 2)
    const saved = this.#plaintext.saveToArray(this.#seal.ComprModeType.none)
    halves.set(savedHalves(saved, PLAINTEXT_DATA_OFFSET))
    return { noiseBudget, halves }
  }

  [Symbol.dispose](): void {
    this.#decryptor.delete()
    this.#ciphertext.delete()
    this.#plaintext.delete()
    this.#image.bytes.fill(0)
  }
}

let started: Promise<Seal> | undefined

/** The SEAL of this thread. A WebAssembly module cannot be unloaded, so there is one, loaded at first use. */
export function loadSeal(): Promise<Seal> {
  started ??= initialize().then(module => new Seal(module))
  return started
}
