// Stands in for `aegir/chai`, which interface-datastore-tests imports: vitest.config.ts aliases it to this file, so
// that the whole of aegir need not be installed.
//
// The order matters. chai-as-promised wraps every property of an assertion that exists when it is registered, and must
// not see the properties that are made callable afterwards.
import * as chai from 'chai'
import chaiAsPromised from 'chai-as-promised'

chai.use(chaiAsPromised)

// The suite writes `expect(x).to.be.true()`. The property asserts when it is read, and gives a function to call.
chai.use(({ Assertion }, utils) => {
  for (const name of ['true', 'false', 'undefined', 'null', 'ok', 'empty', 'exist']) {
    utils.overwriteProperty(
      Assertion.prototype,
      name,
      (assertProperty: (this: object) => void) =>
        function (this: object) {
          assertProperty.call(this)
          return () => this
        }
    )
  }
})

export const { expect, assert } = chai
