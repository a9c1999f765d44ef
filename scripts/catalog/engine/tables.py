"""Which fields Tekton's documents have, as facts in a compact table.

One line per structure: ``Name: field field! field:type …``. A ``!`` marks a field without which the document cannot
work. Types: ``text`` (where none is written), ``int``, ``bool``, ``quantity`` (such as 500m or 1Gi),
``port`` (a number or a name), ``duration``,
``value`` (a param's value: text, list or mapping of texts), ``any``, another structure's name, ``[type]`` for a list,
``{type}`` for a mapping with free keys.

Facts from https://tekton.dev/docs/pipelines/pipeline-api/ and the custom resource definitions of Tekton v1.15.0; the
parts of pods from https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.34/.
"""

KINDS = """
Task: apiVersion! kind! metadata!:ObjectMeta spec!:TaskSpec status:any
TaskRun: apiVersion! kind! metadata!:ObjectMeta spec!:TaskRunSpec status:any
Pipeline: apiVersion! kind! metadata!:ObjectMeta spec!:PipelineSpec status:any
PipelineRun: apiVersion! kind! metadata!:ObjectMeta spec!:PipelineRunSpec status:any
StepAction: apiVersion! kind! metadata!:ObjectMeta spec!:StepActionSpec status:any
ObjectMeta: name generateName namespace labels:{text} annotations:{text} finalizers:[text] ownerReferences:any uid
 resourceVersion creationTimestamp generation:int deletionTimestamp deletionGracePeriodSeconds:int managedFields:any
 selfLink
"""

TASK = """
TaskSpec: description displayName params:[ParamSpec] results:[TaskResult] steps:[Step] stepTemplate:StepTemplate
 sidecars:[Sidecar] volumes:[Volume] workspaces:[WorkspaceDeclaration]
ParamSpec: name! type description default:value properties:{PropertySpec} enum:[text]
PropertySpec: type
TaskResult: name! type description properties:{PropertySpec} value:value
StepResult: name! type description properties:{PropertySpec}
WorkspaceDeclaration: name! description mountPath readOnly:bool optional:bool
WorkspaceUsage: name! mountPath
Step: name displayName image command:[text] args:[text] script workingDir env:[EnvVar] envFrom:[EnvFrom] onError
 timeout:duration params:[Param] ref:StepRef results:[StepResult] when:[When] workspaces:[WorkspaceUsage]
 volumeMounts:[VolumeMount] volumeDevices:[VolumeDevice] stdoutConfig:StepOutput stderrConfig:StepOutput
 imagePullPolicy securityContext:SecurityContext computeResources:Resources
StepTemplate: image command:[text] args:[text] workingDir env:[EnvVar] envFrom:[EnvFrom] volumeMounts:[VolumeMount]
 volumeDevices:[VolumeDevice] imagePullPolicy securityContext:SecurityContext computeResources:Resources
StepOutput: path
StepRef: name resolver params:[Param]
Sidecar: name image command:[text] args:[text] script workingDir env:[EnvVar] envFrom:[EnvFrom]
 workspaces:[WorkspaceUsage] volumeMounts:[VolumeMount] volumeDevices:[VolumeDevice] imagePullPolicy
 securityContext:SecurityContext computeResources:Resources lifecycle:Lifecycle livenessProbe:Probe
 readinessProbe:Probe startupProbe:Probe ports:[ContainerPort] restartPolicy stdin:bool stdinOnce:bool tty:bool
 terminationMessagePath terminationMessagePolicy
StepActionSpec: description image! command:[text] args:[text] script workingDir env:[EnvVar] params:[ParamSpec]
 results:[StepResult] securityContext:SecurityContext volumeMounts:[VolumeMount]
Param: name! value!:value
When: input operator values:[text] cel
"""

RUNS = """
TaskRef: name kind apiVersion resolver params:[Param]
TaskRunSpec: params:[Param] taskRef:TaskRef taskSpec:TaskSpec workspaces:[WorkspaceBinding] timeout:duration
 retries:int serviceAccountName status statusMessage podTemplate:PodTemplate computeResources:Resources
 stepSpecs:[ContainerSpec] sidecarSpecs:[ContainerSpec] debug:Debug managedBy
ContainerSpec: name! computeResources:Resources
Debug: breakpoints:Breakpoints
Breakpoints: onFailure beforeSteps:[text]
WorkspaceBinding: name! subPath emptyDir:EmptyDir persistentVolumeClaim:ClaimSource volumeClaimTemplate:Claim
 configMap:ConfigMapSource secret:SecretSource projected:Projected csi:Csi
PipelineSpec: description displayName params:[ParamSpec] tasks:[PipelineTask] finally:[PipelineTask]
 results:[PipelineResult] workspaces:[PipelineWorkspace]
PipelineTask: name! displayName description taskRef:TaskRef taskSpec:EmbeddedTask pipelineRef:PipelineRef
 pipelineSpec:PipelineSpec params:[Param] matrix:Matrix when:[When] runAfter:[text] workspaces:[PipelineTaskWorkspace]
 retries:int timeout:duration onError
EmbeddedTask: apiVersion kind metadata:PipelineTaskMetadata spec:any description displayName params:[ParamSpec]
 results:[TaskResult] steps:[Step] stepTemplate:StepTemplate sidecars:[Sidecar] volumes:[Volume]
 workspaces:[WorkspaceDeclaration]
PipelineTaskMetadata: labels:{text} annotations:{text}
PipelineTaskWorkspace: name! workspace subPath
PipelineRef: name apiVersion resolver params:[Param]
PipelineResult: name! type description value!:value
PipelineWorkspace: name! description optional:bool
Matrix: params:[Param] include:[MatrixInclude]
MatrixInclude: name params:[Param]
PipelineRunSpec: params:[Param] pipelineRef:PipelineRef pipelineSpec:PipelineSpec workspaces:[WorkspaceBinding]
 timeouts:Timeouts taskRunTemplate:TaskRunTemplate taskRunSpecs:[PipelineTaskRunSpec] status managedBy
Timeouts: pipeline:duration tasks:duration finally:duration
TaskRunTemplate: podTemplate:PodTemplate serviceAccountName
PipelineTaskRunSpec: pipelineTaskName serviceAccountName podTemplate:PodTemplate computeResources:Resources
 metadata:PipelineTaskMetadata stepSpecs:[ContainerSpec] sidecarSpecs:[ContainerSpec] timeout:duration
PodTemplate: affinity:any automountServiceAccountToken:bool dnsConfig:any dnsPolicy enableServiceLinks:bool
 env:[EnvVar] hostAliases:any hostNetwork:bool hostUsers:bool imagePullSecrets:[NamedObject] nodeSelector:{text}
 priorityClassName runtimeClassName schedulerName securityContext:PodSecurityContext tolerations:any
 topologySpreadConstraints:any volumes:[Volume]
"""

PODS = """
EnvVar: name! value valueFrom:EnvVarSource
EnvVarSource: configMapKeyRef:KeyRef secretKeyRef:KeyRef fieldRef:FieldRef resourceFieldRef:ResourceFieldRef
 fileKeyRef:FileKeyRef
KeyRef: key! name optional:bool
FieldRef: fieldPath! apiVersion
ResourceFieldRef: resource! containerName divisor:quantity
FileKeyRef: key! path! volumeName! optional:bool
EnvFrom: prefix configMapRef:ObjectRef secretRef:ObjectRef
ObjectRef: name optional:bool
NamedObject: name
VolumeMount: name! mountPath! mountPropagation readOnly:bool recursiveReadOnly subPath subPathExpr
VolumeDevice: name! devicePath!
Resources: limits:{quantity} requests:{quantity} claims:[ResourceClaim]
ResourceClaim: name! request
SecurityContext: allowPrivilegeEscalation:bool appArmorProfile:LocalProfile capabilities:Capabilities privileged:bool
 procMount readOnlyRootFilesystem:bool runAsGroup:int runAsNonRoot:bool runAsUser:int seLinuxOptions:SeLinux
 seccompProfile:LocalProfile windowsOptions:any
PodSecurityContext: appArmorProfile:LocalProfile fsGroup:int fsGroupChangePolicy runAsGroup:int runAsNonRoot:bool
 runAsUser:int seLinuxOptions:SeLinux seLinuxChangePolicy seccompProfile:LocalProfile supplementalGroups:[int]
 supplementalGroupsPolicy sysctls:any windowsOptions:any
LocalProfile: type! localhostProfile
Capabilities: add:[text] drop:[text]
SeLinux: level role type user
Lifecycle: postStart:Handler preStop:Handler stopSignal
Handler: exec:Exec httpGet:HttpGet tcpSocket:TcpSocket sleep:Sleep
Exec: command:[text]
HttpGet: path port!:port host scheme httpHeaders:[HttpHeader]
HttpHeader: name! value
TcpSocket: port!:port host
Sleep: seconds!:int
Grpc: port!:int service
Probe: exec:Exec httpGet:HttpGet tcpSocket:TcpSocket grpc:Grpc failureThreshold:int initialDelaySeconds:int
 periodSeconds:int successThreshold:int terminationGracePeriodSeconds:int timeoutSeconds:int
ContainerPort: containerPort!:int name hostIP hostPort:int protocol
"""

VOLUMES = """
Volume: name! emptyDir:EmptyDir configMap:ConfigMapSource secret:SecretSource persistentVolumeClaim:ClaimSource
 projected:Projected csi:Csi hostPath:HostPath downwardAPI:DownwardApi ephemeral:any nfs:any image:any
 awsElasticBlockStore:any azureDisk:any azureFile:any cephfs:any cinder:any fc:any flexVolume:any flocker:any
 gcePersistentDisk:any gitRepo:any glusterfs:any iscsi:any photonPersistentDisk:any portworxVolume:any quobyte:any
 rbd:any scaleIO:any storageos:any vsphereVolume:any
EmptyDir: medium sizeLimit:quantity
ConfigMapSource: name defaultMode:int items:[KeyPath] optional:bool
SecretSource: secretName defaultMode:int items:[KeyPath] optional:bool
KeyPath: key! path! mode:int
ClaimSource: claimName! readOnly:bool
HostPath: path! type
DownwardApi: items:any defaultMode:int
Csi: driver! fsType readOnly:bool nodePublishSecretRef:NamedObject volumeAttributes:{text}
Projected: sources:[ProjectedSource] defaultMode:int
ProjectedSource: configMap:ProjectedFiles secret:ProjectedFiles serviceAccountToken:any downwardAPI:any
 clusterTrustBundle:any podCertificate:any
ProjectedFiles: name items:[KeyPath] optional:bool
Claim: apiVersion kind metadata:ObjectMeta spec!:ClaimSpec status:any
ClaimSpec: accessModes:[text] resources:Resources storageClassName volumeMode volumeName selector:any dataSource:any
 dataSourceRef:any volumeAttributesClassName
"""

ALL = f"{KINDS}\n{TASK}\n{RUNS}\n{PODS}\n{VOLUMES}"
