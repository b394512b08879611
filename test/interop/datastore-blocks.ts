/**
 * A blockstore in a datastore, as Kubo and ipfs-lite have theirs: rows by multihash, whatever the codec and version of
 * the CID that asks.
 */
import type { Blockstore, InputPair, Pair } from 'interface-blockstore'
import { type Datastore, Key } from 'interface-datastore'
import { base32 } from 'multiformats/bases/base32'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import * as Digest from 'multiformats/hashes/digest'

const PREFIX = '/blocks'

const keyOf = (cid: CID): Key => new Key(`${PREFIX}/${base32.encode(cid.multihash.bytes)}`)

export class DatastoreBlocks implements Blockstore {
  readonly #rows: Datastore

  constructor(rows: Datastore) {
    this.#rows = rows
  }

  async put(cid: CID, bytes: Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<CID> {
    const chunks: Uint8Array[] = []
    if (bytes instanceof Uint8Array) chunks.push(bytes)
    else for await (const chunk of bytes) chunks.push(chunk)
    await this.#rows.put(keyOf(cid), chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks))
    return cid
  }

  async *putMany(source: Iterable<InputPair> | AsyncIterable<InputPair>): AsyncGenerator<CID> {
    for await (const { cid, bytes } of source) yield await this.put(cid, bytes)
  }

  async *get(cid: CID): AsyncGenerator<Uint8Array> {
    yield await this.#rows.get(keyOf(cid))
  }

  async *getMany(source: Iterable<CID> | AsyncIterable<CID>): AsyncGenerator<Pair> {
    for await (const cid of source) yield { cid, bytes: this.get(cid) }
  }

  async *getAll(): AsyncGenerator<Pair> {
    for await (const { key, value } of this.#rows.query({ prefix: `${PREFIX}/` })) {
      const digest = Digest.decode(base32.decode(key.baseNamespace()))
      yield { cid: CID.createV1(raw.code, digest), bytes: one(value) }
    }
  }

  async has(cid: CID): Promise<boolean> {
    return await this.#rows.has(keyOf(cid))
  }

  async delete(cid: CID): Promise<void> {
    await this.#rows.delete(keyOf(cid))
  }

  async *deleteMany(source: Iterable<CID> | AsyncIterable<CID>): AsyncGenerator<CID> {
    for await (const cid of source) {
      await this.delete(cid)
      yield cid
    }
  }
}

async function* one(value: Uint8Array): AsyncGenerator<Uint8Array> {
  yield value
}
