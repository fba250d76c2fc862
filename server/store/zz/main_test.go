package exp
import ("testing";"database/sql";_ "modernc.org/sqlite";"time";"fmt")
func TestX(t *testing.T){
 db,err:=sql.Open("sqlite","file:"+t.TempDir()+"/x.db?_pragma=journal_mode(WAL)&_pragma=cache_size(-65536)")
 if err!=nil{t.Fatal(err)}
 db.SetMaxOpenConns(1)
 ex:=func(q string,a ...any){t.Helper();s:=time.Now();r,err:=db.Exec(q,a...);if err!=nil{t.Fatal(q,err)};n,_:=r.RowsAffected();if d:=time.Since(s);d>100*time.Millisecond{fmt.Println(d,n,q[:30])}else{_=n}}
 var v string; db.QueryRow("select sqlite_version()").Scan(&v); fmt.Println(v)
 ex(`CREATE TABLE webhooks(organization_id TEXT NOT NULL, created_at INTEGER NOT NULL, id TEXT NOT NULL, endpoint TEXT NOT NULL, secret BLOB NOT NULL, enabled INTEGER NOT NULL, updated_at INTEGER NOT NULL, PRIMARY KEY(organization_id,created_at,id), UNIQUE(organization_id,id)) STRICT, WITHOUT ROWID`)
 ex(`CREATE TEMP TABLE staged(created_at INTEGER NOT NULL, id TEXT NOT NULL, endpoint TEXT NOT NULL, secret BLOB NOT NULL, enabled INTEGER NOT NULL, updated_at INTEGER NOT NULL, PRIMARY KEY(created_at,id), UNIQUE(id)) STRICT, WITHOUT ROWID`)
 ex(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<1000000) INSERT INTO staged SELECT i*1000, 'wh_'||hex(randomblob(10)), 'https://myapp.packcloud.local/order-created/'||i, randomblob(50), 1, i*1000 FROM n`)
 up:=`INSERT INTO webhooks SELECT 'org', created_at,id,endpoint,secret,enabled,updated_at FROM staged WHERE true ORDER BY created_at,id ON CONFLICT(organization_id,id) DO UPDATE SET created_at=excluded.created_at, endpoint=excluded.endpoint, secret=excluded.secret,enabled=excluded.enabled,updated_at=excluded.updated_at WHERE (webhooks.created_at,webhooks.endpoint,webhooks.secret,webhooks.enabled,webhooks.updated_at) IS NOT (excluded.created_at,excluded.endpoint,excluded.secret,excluded.enabled,excluded.updated_at)`
 ex(up)
 ex(up)
 ex(`UPDATE staged SET endpoint='y'`)
 ex(up)
 ex(`UPDATE staged SET created_at=created_at+1 where enabled`)
 ex(up)
 ex(up)
 s:=time.Now(); var n int; db.QueryRow("select count(*) from webhooks where organization_id='org'").Scan(&n); fmt.Println(n,time.Since(s))
}
