"""Who made a package: OpenSSF model signatures with an elliptic key of this installation, checked before every load.

A signature (`model.sig`, a Sigstore bundle over an in-toto statement) names the SHA-256 sum of every file of a package.
Signing and checking need no network. Whoever trains holds the private key; whoever serves needs the public one alone.
"""

import os
from pathlib import Path
from typing import Any

from ner.errors import BrokenPackage, InvalidInput

SIGNATURE = "model.sig"


class Signatures:
    """Signs with `private` and checks with `public`, both files in PEM.

    The pair is made when something is signed for the first time and neither is there. `is_required` says that
    packages are refused while the public key is missing.
    """

    def __init__(self, private: Path, public: Path, *, is_required: bool = False) -> None:
        self._private = private
        self._public = public
        self._is_required = is_required

    @property
    def are_expected(self) -> bool:
        """Whether signatures are checked; without a key a package is held by its digest alone."""
        return self._is_required or self._public.exists()

    def make_keys(self) -> bool:
        """Make the pair where neither key is there; whether it was made."""
        if self._private.exists() or self._public.exists():
            return False
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        shown = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self._private.parent.mkdir(parents=True, exist_ok=True)
        self._public.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(self._private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(secret)
        self._public.write_bytes(shown)
        return True

    def renew_keys(self) -> "Signatures":
        """Put a new pair in place of the present one, which is returned: it is kept beside the new one until
        `forget_older`. Where a pair is kept already, a change was interrupted and goes on.
        """
        older = Signatures(_beside(self._private), _beside(self._public))
        if not older._public.exists():
            if self._private.exists():
                self._private.rename(older._private)
            if self._public.exists():
                self._public.rename(older._public)
        self.make_keys()
        return older

    def forget_older(self) -> None:
        """Delete the pair that was replaced."""
        for path in (self._private, self._public):
            _beside(path).unlink(missing_ok=True)

    def vouches_for(self, folder: Path) -> bool:
        """Whether the package is as the holder of this pair signed it."""
        try:
            self.check(folder)
        except BrokenPackage:
            return False
        return True

    def sign(self, folder: Path) -> None:
        """Write `model.sig` into a package folder. Raises InvalidInput where the private key is not on this machine."""
        from model_signing import signing

        if not self._private.exists():
            raise InvalidInput(f"Packages are signed with {self._private}, which is not there.")
        signer = signing.Config().use_elliptic_key_signer(private_key=self._private)  # type: ignore[no-untyped-call]
        signer.set_hashing_config(_hashing(folder)).sign(folder, folder / SIGNATURE)

    def check(self, folder: Path) -> None:
        """Raises BrokenPackage where a package is not signed, by another key, or not as it was signed."""
        from model_signing import verifying

        if not (folder / SIGNATURE).is_file():
            raise BrokenPackage(f"{folder} is not signed: it has no {SIGNATURE}.")
        verifier = verifying.Config().use_elliptic_key_verifier(public_key=self._public)  # type: ignore[no-untyped-call]
        try:
            verifier.set_hashing_config(_hashing(folder)).verify(folder, folder / SIGNATURE)
        except Exception as error:
            # The library has no common type for what may be wrong with a signature.
            raise BrokenPackage(f"{folder} is not what the holder of {self._public} signed: {error}") from error


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.old")


def _hashing(folder: Path) -> Any:
    from model_signing import hashing

    plain = hashing.Config()  # type: ignore[no-untyped-call]
    return plain.set_ignored_paths(paths=[folder / SIGNATURE], ignore_git_paths=False)
