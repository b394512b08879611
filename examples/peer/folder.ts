/**
 * The data folder: the datastore, and the private key that makes a peer the same one after a restart.
 *
 * Invariants: nothing in the folder is touched before its lock is held; the key is made once, is whole or absent,
 * and only its owner can read it.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import { createCrdtDatastore } from 'datastore-crdt'
import { LevelDatastore } from 'datastore-level'

export interface Folder {
  datastore: LevelDatastore
  privateKey: PrivateKey
}

/** @throws DatastoreLockedError if another process has the folder open. */
export async function openFolder(path: string): Promise<Folder> {
  await mkdir(path, { recursive: true })
  const datastore = new LevelDatastore(join(path, 'store'))
  try {
    await datastore.open()
  } catch (error) {
    // datastore-level does not say why it could not be opened. The store finds out, and throws that.
    await createCrdtDatastore({ datastore })
    throw error
  }
  try {
    return { datastore, privateKey: await readOrMakeKey(join(path, 'identity.key')) }
  } catch (error) {
    await datastore.close()
    throw error
  }
}

async function readOrMakeKey(file: string): Promise<PrivateKey> {
  try {
    return privateKeyFromProtobuf(await readFile(file))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const key = await generateKeyPair('Ed25519')
  // Renamed when it is complete, so that a crash in between does not leave half a key.
  await writeFile(`${file}.new`, privateKeyToProtobuf(key), { mode: 0o600 })
  await rename(`${file}.new`, file)
  return key
}
