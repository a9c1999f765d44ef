module cluster/tkn

go 1.24.0

require github.com/tektoncd/cli v0.46.0

replace github.com/alibabacloud-go/cr-20160607 => github.com/vdemeester/cr-20160607 v1.0.1
