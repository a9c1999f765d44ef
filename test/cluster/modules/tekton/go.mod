module cluster/tekton

go 1.24.0

require github.com/tektoncd/pipeline @VERSION@

replace github.com/alibabacloud-go/cr-20160607 => github.com/vdemeester/cr-20160607 v1.0.1
