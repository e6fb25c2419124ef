"""A database of whatever the git CLI prints, for walks over a handful of objects."""
# ruff: noqa
from tests.gitobjects.histories import *
from typing import Any
from siltstone.core.errors import NotFoundError
from siltstone.gitobjects.ids import ALGORITHMS, Kind, ObjectId
from siltstone.gitobjects.ledger import CoverageLedger
import numpy as np
@dataclass
class Obj:
    oid: ObjectId
    kind: Kind
    data: bytes
@dataclass
class Block:
    data: bytes; starts: Any; ends: Any; oids: bytes
    def __len__(self): return len(self.starts)
class CliDatabase:
    def __init__(self, path):
        self.path=path
        self.ledger=CoverageLedger(); self.budget=Budget()
        self.algorithm=ALGORITHMS[run_git(path,'rev-parse','--show-object-format').decode().strip()]
        self.objects={}
        self.work_tree=None
        out=run_git(path,'cat-file','--batch','--batch-all-objects')
        at=0
        while at<len(out):
            e=out.index(b'\n',at); o,k,s=out[at:e].split(); s=int(s)
            self.objects[bytes.fromhex(o.decode())]=Obj(bytes.fromhex(o.decode()),Kind[k.decode().upper()],out[e+1:e+1+s]); at=e+2+s
    def read(self,oid):
        try: return self.objects[oid]
        except KeyError: raise NotFoundError('x',name=oid.hex()) from None
    def walk_objects(self,kinds):
        o=[x for x in self.objects.values() if x.kind in kinds]
        random.Random(3).shuffle(o)
        for i in range(0,len(o),7):
            p=o[i:i+7]; ends=np.cumsum([len(x.data) for x in p]).astype('i8'); starts=ends-np.array([len(x.data) for x in p])
            yield Block(b''.join(x.data for x in p),starts,ends,b''.join(x.oid for x in p))
    def refs(self):
        return {r:bytes.fromhex(o.decode()) for o,r in (l.split() for l in run_git(self.path,'for-each-ref','--format=%(objectname) %(refname)').splitlines())}
    def head(self):
        try: return bytes.fromhex(run_git(self.path,'rev-parse','--verify','HEAD').decode().strip())
        except AssertionError: return None
    def shallow_commits(self):
        p=self.path/'shallow'
        return frozenset(bytes.fromhex(l.decode()) for l in p.read_bytes().split()) if p.exists() else frozenset()
